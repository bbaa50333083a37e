//! What is known of a request: its id, the client's address, the caller, and what is left of the limit.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::{Arc, OnceLock},
};

use axum::{
    extract::{ConnectInfo, FromRequestParts, MatchedPath, Request},
    http::{HeaderMap, HeaderName, HeaderValue, header, request::Parts},
};
use usher_shared::{
    audit::Actor,
    foundation::{
        client_address::{self, Forwarding},
        entity::audit_log::ActorKind,
        time::new_id,
        trace,
    },
};

use super::{error::ApiError, remaining::Remaining, state::Toolkit};

pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The longest `X-Request-Id` that is taken over, in bytes.
const MAX_REQUEST_ID: usize = 128;

/// One request, for handlers and for the layers around them.
pub struct RequestContext {
    /// The `X-Request-Id`.
    pub id: String,
    /// The client's address, behind trusted proxies as they say.
    pub address: IpAddr,
    /// Who called, such as `api_key:7`.
    pub(crate) caller: OnceLock<String>,
    pub(crate) remaining: OnceLock<Remaining>,
    /// Whether it was counted as one without a credential.
    pub(crate) is_admitted: OnceLock<()>,
    pub(crate) toolkit: Toolkit,
    route: OnceLock<MatchedPath>,
}

impl RequestContext {
    pub(super) fn of(request: &Request, toolkit: &Toolkit) -> Self {
        let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
        // Without `serve` (another program's server) the peer may be unknown; it is then no trusted proxy.
        let peer = peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |ConnectInfo(peer)| peer.ip());
        let lines = |name| {
            request
                .headers()
                .get_all(name)
                .iter()
                .map(HeaderValue::as_bytes)
                .collect()
        };
        let forwarding = Forwarding {
            x_forwarded_for: lines(FORWARDED_FOR),
            forwarded: lines(header::FORWARDED),
        };
        let client = client_address::client_address(peer, &forwarding, &toolkit.config.trusted_proxies);
        Self {
            id: request_id(request.headers()),
            address: toolkit.metrics.note_client(client),
            caller: OnceLock::new(),
            remaining: OnceLock::new(),
            is_admitted: OnceLock::new(),
            toolkit: toolkit.clone(),
            route: OnceLock::new(),
        }
    }

    pub(super) fn note_route(&self, request: &Request) {
        if let Some(route) = request.extensions().get::<MatchedPath>() {
            self.route.get_or_init(|| route.clone());
        }
    }

    /// As the router has it, such as `/users/{id}`: an address as it was sent can hold anything, even a token.
    pub(super) fn route(&self) -> &str {
        self.route.get().map_or(trace::NO_ROUTE, MatchedPath::as_str)
    }

    /// Who does it and from where, for the audit log.
    #[must_use]
    pub fn actor(&self, kind: ActorKind, id: Option<i64>, label: &str) -> Actor {
        Actor {
            address: Some(self.address.to_string()),
            request_id: Some(self.id.clone()),
            ..Actor::new(kind, id, label)
        }
    }

    /// An unauthenticated actor.
    #[must_use]
    pub fn anonymous(&self) -> Actor {
        self.actor(ActorKind::Anonymous, None, "Anonymous")
    }
}

/// The client's own id when it is short and visible ASCII, else a new one.
fn request_id(headers: &HeaderMap) -> String {
    let given = headers.get(REQUEST_ID).and_then(|id| id.to_str().ok());
    let usable = |id: &&str| (1..=MAX_REQUEST_ID).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic());
    given.filter(usable).map_or_else(|| new_id().to_string(), str::to_owned)
}

/// The request's context, as an extractor.
pub struct Context(pub Arc<RequestContext>);

impl<S: Sync> FromRequestParts<S> for Context {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let context = parts.extensions.get::<Arc<RequestContext>>().cloned();
        context
            .map(Self)
            .ok_or_else(|| ApiError::Internal(anyhow::anyhow!("the request has no context")))
    }
}
