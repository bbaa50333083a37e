//! One request as the admin sees it: who it is from, and what their cookies say. The layer here finds that out
//! once, before any handler, and draws the error page when one returns an error.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::{Arc, OnceLock},
};

use axum::{
    extract::{ConnectInfo, FromRequestParts, Request, State},
    http::{
        HeaderMap, HeaderName, HeaderValue, Method,
        header::{FORWARDED, SET_COOKIE, USER_AGENT},
        request::Parts,
    },
    middleware::Next,
    response::{IntoResponse, Redirect, Response},
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use sea_orm::DbErr;
use usher_shared::{
    audit::{self, Actor, Entry, ObjectType},
    foundation::{
        client_address::{self, Forwarding},
        config::StaffMfa,
        crypto::random,
        entity::{audit_log::ActorKind, user},
        rate_limit::bucket,
        token::{Token, TokenKind},
    },
};
use uuid::Uuid;

use crate::{engine::{error::{self, AdminError}, request::{cookie::{DEVICE, FLASH, SESSION, THEME, VISITOR}, csrf::{self, Binding}, form_token::FormToken, staff::{Staff, actor}}, shell::{flash::Message, theme::Theme}}, sign_in::{device, session::{self, Signed}}, state::AppState};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// How far a visitor has signed in.
#[derive(Clone, Debug)]
pub(crate) enum Standing {
    Nobody,
    /// The password was right; the account's second factor is still asked for.
    OwesCode(Arc<Signed>),
    /// The password was right; the application wants a second factor, and the account has none.
    OwesFactor(Arc<Signed>),
    Staff(Arc<Signed>),
}

/// The request's circumstances.
#[derive(Clone, Debug)]
pub(crate) struct Visit {
    pub(crate) standing: Standing,
    /// What the visitor's form tokens are bound to.
    pub(crate) csrf_binding: Binding,
    /// The cookie from before signing in, which a log-in tab that is still open was made for.
    pub(crate) visitor: Option<String>,
    pub(crate) theme: Theme,
    pub(crate) message: Option<Message>,
    pub(crate) address: IpAddr,
    pub(crate) user_agent: Option<String>,
    device: Option<String>,
    pub(crate) request_id: String,
    /// Path and query, for the way back after signing in.
    pub(crate) path: String,
    /// The session's cookie, as it came.
    cookie: Option<String>,
    /// The form that was sent, once it is read.
    form: Arc<OnceLock<FormToken>>,
    state: Arc<AppState>,
}

impl Visit {
    fn new(state: &AppState, request: &Parts, standing: Standing) -> Self {
        let (headers, https) = (&request.headers, state.is_https());
        let visitor = VISITOR.read(headers, https).map(str::to_owned);
        let csrf_binding = match standing.signed() {
            Some(signed) => signed.binding(),
            None => Binding::Visitor(visitor.clone().unwrap_or_else(new_visitor)),
        };
        let message = FLASH
            .read(headers, https)
            .and_then(|cookie| Message::open(&state.config.secret_key, &csrf_binding, cookie));
        Self {
            standing,
            message,
            csrf_binding,
            visitor,
            theme: THEME.read(headers, https).map(Theme::parse).unwrap_or_default(),
            address: address(state, request),
            user_agent: text(headers, &USER_AGENT).map(|agent| agent.chars().take(500).collect()),
            device: DEVICE.read(headers, https).map(str::to_owned),
            request_id: request_id(headers),
            path: request
                .uri
                .path_and_query()
                .map_or_else(|| "/admin/".to_owned(), ToString::to_string),
            cookie: SESSION.read(headers, https).map(str::to_owned),
            form: Arc::default(),
            state: Arc::new(state.clone()),
        }
    }

    /// The person, when wholly signed in.
    pub(crate) fn staff(&self) -> Option<Staff> {
        match &self.standing {
            Standing::Staff(signed) => Some(Staff::new(Arc::clone(signed))),
            _ => None,
        }
    }

    /// The same request with another session, whose pages it answers with.
    pub(crate) fn signed_in(&self, id: Uuid, user_id: i64) -> Self {
        Self {
            csrf_binding: Binding::Session { id, user_id },
            ..self.clone()
        }
    }

    /// Takes a form by its token: it must be this visitor's, and not have been sent before.
    pub(crate) async fn check_form(&self, token: &str, to: &str, contents: &[u8]) -> Result<FormToken, AdminError> {
        let own = csrf::check(&self.state.config.secret_key, &self.csrf_binding, token);
        let form = FormToken::new(&self.state, token, (to, contents), self.cookie.as_deref());
        if own.is_ok() || form.has_cookie() {
            form.refuse_again(&self.state, own.is_ok()).await?;
        }
        own?;
        let _ = self.form.set(form.clone());
        Ok(form)
    }

    /// [`Self::check_form`] for a form on the way in or out, whose token may be of an earlier session of this browser.
    /// Where it is not this browser's own by its token, the cookie that came along tells: a code renews it.
    pub(crate) async fn take_form(&self, token: &str, contents: &[u8], own: bool) -> Result<FormToken, AdminError> {
        let form = FormToken::new(&self.state, token, (&self.path, contents), self.cookie.as_deref());
        if own || form.has_cookie() {
            form.refuse_again(&self.state, own).await?;
        }
        if own {
            let _ = self.form.set(form.clone());
        }
        Ok(form)
    }

    /// The answer to the same form, where another request has done what it asks while this one failed at that.
    pub(crate) async fn answered_elsewhere(&self) -> Result<(), AdminError> {
        match self.form.get() {
            Some(form) if !form.is_finished() => form.refuse_again(&self.state, true).await,
            _ => Ok(()),
        }
    }

    /// Whether it comes from a browser that this account signed in with.
    pub(crate) fn is_device_of(&self, user: &user::Model) -> bool {
        let cookie = self.device.as_deref();
        cookie.is_some_and(|cookie| device::is_known(&self.state.config.secret_key, cookie, user))
    }

    /// Goes to another page, which says this.
    pub(crate) fn say(&self, words: String, to: &str) -> Response {
        self.leave(Message::success(words), to)
    }

    /// Goes to another page, which says this as a warning.
    pub(crate) fn say_warning(&self, words: String, to: &str) -> Response {
        self.leave(Message::warning(words), to)
    }

    /// Goes to another page, which says this and leads to a third.
    pub(crate) fn say_with(&self, words: String, (href, label): (&str, &str), to: &str) -> Response {
        self.leave(Message::success(words).link(href, label), to)
    }

    fn leave(&self, message: Message, to: &str) -> Response {
        let sealed = message.seal(&self.state.config.secret_key, &self.csrf_binding);
        let cookie = FLASH.set(&sealed, self.state.is_https());
        ([(SET_COOKIE, cookie)], Redirect::to(to)).into_response()
    }
}

impl Standing {
    pub(crate) fn signed(&self) -> Option<&Signed> {
        match self {
            Self::Nobody => None,
            Self::OwesCode(signed) | Self::OwesFactor(signed) | Self::Staff(signed) => Some(signed),
        }
    }
}

impl FromRequestParts<AppState> for Visit {
    type Rejection = AdminError;

    async fn from_request_parts(parts: &mut Parts, _: &AppState) -> Result<Self, AdminError> {
        let visit = parts.extensions.get::<Self>().cloned();
        visit.ok_or_else(|| AdminError::from(anyhow::anyhow!("the layer for visits is missing")))
    }
}

/// The layer.
pub(crate) async fn receive(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let method = parts.method.clone();
    let token = SESSION.read(&parts.headers, state.is_https());
    let visit = match standing(&state, token).await {
        Ok(standing) => Visit::new(&state, &parts, standing),
        Err(error) => {
            return error::render(&error.into(), &state, &Visit::new(&state, &parts, Standing::Nobody));
        }
    };
    let had_flash = FLASH.read(&parts.headers, state.is_https()).is_some();
    let new_visitor = match &visit.csrf_binding {
        Binding::Visitor(cookie) if visit.visitor.is_none() => Some(cookie.clone()),
        _ => None,
    };
    parts.extensions.insert(visit.clone());

    let mut response = next.run(Request::from_parts(parts, body)).await;
    if let Err(again @ (AdminError::Again(_) | AdminError::AlreadySent)) = visit.answered_elsewhere().await {
        response = again.into_response();
    }
    if let Some(error) = response.extensions().get::<AdminError>().cloned() {
        note_refusal(&state, &visit, &method, &error).await;
        response = error::render(&error, &state, &visit);
    }
    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::from_str(&visit.request_id) {
        headers.insert(REQUEST_ID, id);
    }
    if let Some(cookie) = new_visitor {
        headers.append(SET_COOKIE, VISITOR.set(&cookie, state.is_https()));
    }
    // A message is said once: by the page that drew it, not by a redirect on the way.
    if had_flash && !response.status().is_redirection() {
        response.headers_mut().append(SET_COOKIE, FLASH.clear(state.is_https()));
    }
    response
}

/// Leaves a trace of what somebody was refused: a page or an act that is not theirs, a log-in that was tried too often.
/// The page is answered whether that can be written or not.
async fn note_refusal(state: &AppState, visit: &Visit, method: &Method, error: &AdminError) {
    let (action, why) = match error {
        AdminError::Forbidden(why) => ("access_refused", why.clone()),
        AdminError::StaleForm => (
            "access_refused",
            "the form's token is missing, old or another visitor's".to_owned(),
        ),
        AdminError::TooMany(seconds) => (
            "attempt_refused",
            format!("too many attempts; {seconds} seconds to wait"),
        ),
        _ => return,
    };
    let signed = visit.standing.signed();
    let (whose, actor) = match signed {
        Some(signed) => (format!("user:{}", signed.user.id), actor(&signed.user, visit)),
        None => (bucket::network(visit.address).to_string(), anonymous(visit)),
    };
    // What stands behind the question mark was typed, and people type what is nobody's business.
    let path = visit.path.split('?').next().unwrap_or_default();
    let entry = Entry {
        action,
        object_type: ObjectType::Request.as_str(),
        object_label: Some(format!("{method} {path}").chars().take(200).collect()),
        reason: Some(why),
        ..Entry::default()
    };
    if let Err(error) = audit::record_refusal(&state.limiter, &state.db, &whose, &actor, entry).await {
        tracing::warn!(%error, "a refusal could not be written down");
    }
}

/// Whoever is not signed in, as the audit log names them.
pub(crate) fn anonymous(visit: &Visit) -> Actor {
    Actor {
        address: Some(visit.address.to_string()),
        request_id: Some(visit.request_id.clone()),
        ..Actor::new(ActorKind::Anonymous, None, "Anonymous")
    }
}

async fn standing(state: &AppState, cookie: Option<&str>) -> Result<Standing, DbErr> {
    let Some(token) = cookie.and_then(|text| Token::parse(TokenKind::AdminSession, text)) else {
        return Ok(Standing::Nobody);
    };
    let Some(signed) = session::load(&state.db, &token).await?.map(Arc::new) else {
        return Ok(Standing::Nobody);
    };
    let required = state.config.staff_mfa == StaffMfa::Required && signed.user.is_superuser;
    Ok(match (signed.mfa_at.is_some(), signed.has_factor) {
        (true, _) => Standing::Staff(signed),
        (false, true) => Standing::OwesCode(signed),
        (false, false) if required => Standing::OwesFactor(signed),
        (false, false) => Standing::Staff(signed),
    })
}

pub(crate) fn new_visitor() -> String {
    BASE64_URL_SAFE_NO_PAD.encode(random::<24>())
}

fn address(state: &AppState, request: &Parts) -> IpAddr {
    let peer = request
        .extensions
        .get::<ConnectInfo<SocketAddr>>()
        .map(|info| info.0.ip());
    let peer = peer.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
    let lines = |name| {
        request
            .headers
            .get_all(name)
            .iter()
            .map(HeaderValue::as_bytes)
            .collect()
    };
    let forwarding = Forwarding {
        x_forwarded_for: lines(FORWARDED_FOR),
        forwarded: lines(FORWARDED),
    };
    client_address::client_address(peer, &forwarding, &state.config.trusted_proxies).noted(&state.metrics)
}

/// The caller's id where it is a plain word, else a new one.
fn request_id(headers: &HeaderMap) -> String {
    let is_plain = |id: &&str| {
        (1..=128).contains(&id.len())
            && id
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
    };
    text(headers, &REQUEST_ID)
        .filter(is_plain)
        .map_or_else(|| Uuid::now_v7().to_string(), str::to_owned)
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}
