//! What is known of every request: its id, the client's address, who calls and what is left of the limit.
//! The outermost layer notes it, sends it back in headers, and writes the access log.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::{Arc, OnceLock},
    time::Instant,
};

use axum::{
    extract::{ConnectInfo, FromRequestParts, MatchedPath, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header, request::Parts},
    middleware::Next,
    response::Response,
};
use tracing::Instrument;
use usher_shared::{
    audit::{self, Entry, ObjectType},
    foundation::{
        client_address::{self, Forwarding},
        rate_limit::bucket,
        trace,
    },
};
use uuid::Uuid;

use crate::{auth::anonymous, error::ApiError, limits::Standing, state::AppState};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The longest `X-Request-Id` that is taken over, in bytes.
const MAX_REQUEST_ID: usize = 128;

/// One request, for handlers and for the layers around them.
pub(crate) struct RequestContext {
    pub(crate) id: String,
    pub(crate) address: IpAddr,
    /// Who called, such as `api_key:7`.
    pub(crate) caller: OnceLock<String>,
    pub(crate) standing: OnceLock<Standing>,
    /// Whether it was counted as one without a credential.
    pub(crate) is_admitted: OnceLock<()>,
    pub(crate) state: AppState,
    route: OnceLock<MatchedPath>,
}

impl RequestContext {
    fn of(request: &Request, state: &AppState) -> Self {
        let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
        // Without `serve` (another program's server) the peer may be unknown; it is then nobody's proxy.
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
        let client = client_address::client_address(peer, &forwarding, &state.config.trusted_proxies);
        Self {
            id: request_id(request.headers()),
            address: state.metrics.note_client(client),
            caller: OnceLock::new(),
            standing: OnceLock::new(),
            is_admitted: OnceLock::new(),
            state: state.clone(),
            route: OnceLock::new(),
        }
    }

    fn note_route(&self, request: &Request) {
        if let Some(route) = request.extensions().get::<MatchedPath>() {
            self.route.get_or_init(|| route.clone());
        }
    }

    /// As the router has it, such as `/users/{id}`: an address as it was sent can hold anything, even a token.
    fn route(&self) -> &str {
        self.route.get().map_or(trace::NO_ROUTE, MatchedPath::as_str)
    }
}

/// The client's own id when it is short and visible ASCII, else a new one.
fn request_id(headers: &HeaderMap) -> String {
    let given = headers.get(REQUEST_ID).and_then(|id| id.to_str().ok());
    let usable = |id: &&str| (1..=MAX_REQUEST_ID).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic());
    given
        .filter(usable)
        .map_or_else(|| Uuid::now_v7().to_string(), str::to_owned)
}

/// The request's context, as an extractor.
pub(crate) struct Context(pub(crate) Arc<RequestContext>);

impl<S: Sync> FromRequestParts<S> for Context {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, ApiError> {
        let context = parts.extensions.get::<Arc<RequestContext>>().cloned();
        context
            .map(Self)
            .ok_or_else(|| ApiError::Internal(anyhow::anyhow!("the request has no context")))
    }
}

/// The outermost layer.
pub(crate) async fn observe(State(state): State<AppState>, mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let _in_flight = state.metrics.enter();
    let context = Arc::new(RequestContext::of(&request, &state));
    let method = request.method().clone();
    context.note_route(&request);
    request.extensions_mut().insert(Arc::clone(&context));

    let header = request
        .headers()
        .get("traceparent")
        .and_then(|value| value.to_str().ok());
    let secure = state.config.api_url.starts_with("https:");
    let exported = trace::Span::request(method.as_str(), context.route(), secure, header);
    let trace = exported.trace();
    let span = tracing::info_span!("request", request_id = context.id, trace = %trace.id());
    let mut response = trace.scope(next.run(request)).instrument(span.clone()).await;

    if response.status() == StatusCode::TOO_MANY_REQUESTS {
        note_refusal(&state, &context, &method).await;
    }
    add_headers(response.headers_mut(), &context, secure);
    let (route, status) = (context.route(), response.status().as_u16());
    let (address, caller) = (
        context.address,
        context.caller.get().map_or("anonymous", String::as_str),
    );
    let took = started.elapsed();
    state.metrics.answered(method.as_str(), route, status, took);
    exported.answered(method.as_str(), route, status);
    let ms = took.as_secs_f64() * 1000.0;
    let _entered = span.enter();
    // Probes come every few seconds and say nothing new.
    if route.starts_with("/health/") && status == 200 {
        tracing::debug!(%method, route, status, ms, %address, caller, "answered");
    } else {
        tracing::info!(%method, route, status, ms, %address, caller, "answered");
    }
    response
}

/// Leaves a trace of what was tried too often on the way in: log-ins, codes, tokens. Other calls are refused to clients that
/// are busy, and counted by the metrics.
async fn note_refusal(state: &AppState, context: &RequestContext, method: &Method) {
    let route = context.route();
    if !["/auth/", "/oauth/"].iter().any(|part| route.contains(part)) {
        return;
    }
    let entry = Entry {
        action: "attempt_refused",
        object_type: ObjectType::Request.as_str(),
        object_label: Some(format!("{method} {route}")),
        reason: Some("too many attempts".to_owned()),
        ..Entry::default()
    };
    let whose = bucket::network(context.address).to_string();
    let written = audit::record_refusal(&state.limiter, &state.db, &whose, &anonymous(context), entry).await;
    if let Err(error) = written {
        tracing::warn!(%error, "a refusal could not be written down");
    }
}

/// For routes behind a fallback, which the outermost layer cannot see.
pub(crate) async fn note_route(Context(context): Context, request: Request, next: Next) -> Response {
    context.note_route(&request);
    next.run(request).await
}

fn add_headers(headers: &mut HeaderMap, context: &RequestContext, secure: bool) {
    if let Ok(id) = HeaderValue::from_str(&context.id) {
        headers.insert(REQUEST_ID, id);
    }
    if let Some(standing) = context.standing.get() {
        standing.write(headers);
    }
    let mut default = |name: HeaderName, value: &'static str| {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    };
    default(header::CACHE_CONTROL, "no-store");
    default(
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; frame-ancestors 'none'",
    );
    default(header::REFERRER_POLICY, "no-referrer");
    default(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    if secure {
        default(header::STRICT_TRANSPORT_SECURITY, "max-age=31536000");
    }
}
