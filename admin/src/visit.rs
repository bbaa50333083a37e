//! The outermost layer around the pages: it finds out once, before any handler, who a request is from and what their
//! cookies say, and draws the error page when a handler returns an error.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
};

use axum::{
    extract::{ConnectInfo, Request, State},
    http::{
        HeaderMap, HeaderName, HeaderValue, Method,
        header::{FORWARDED, SET_COOKIE, USER_AGENT},
        request::Parts,
    },
    middleware::Next,
    response::{IntoResponse, Response},
};
use sea_orm::DbErr;
use usher_admin_engine::{AdminError, FLASH, Message, SentForm, Theme, Visit, csrf::Binding, new_visitor};
use usher_shared::{
    audit::{self, Entry, ObjectType},
    foundation::{
        client_address::{self, Forwarding},
        rate_limit::bucket,
        time::new_id,
        token::{Token, TokenKind},
    },
};

use crate::apps::LIVE;
use crate::error_page;
use crate::sign_in::cookies::{DEVICE, SESSION, THEME, VISITOR};
use crate::sign_in::next::{self, HOME};
use crate::sign_in::visitor::{SignIn, Visitor};
use crate::sign_in::{attempts, session};
use crate::state::AppState;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Scripts say so when nobody has asked for the page.
const BY_ITSELF: HeaderName = HeaderName::from_static("x-usher-by-itself");
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The layer.
pub(crate) async fn receive(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let method = parts.method.clone();
    let token = SESSION.read(&parts.headers, state.is_https());
    let by_itself = is_by_itself(&parts);
    let sign_in = match sign_in(&state, token, by_itself).await {
        Ok(sign_in) => sign_in,
        Err(error) => {
            let visit = visit(&state, &parts, &SignIn::Nobody);
            return error_page::render(&error.into(), &state, &visit);
        }
    };
    let visit = visit(&state, &parts, &sign_in);
    // A message is for the page that a person asks for.
    let had_flash = !by_itself && FLASH.read(&parts.headers, state.is_https()).is_some();
    let new_visitor = match &visit.csrf_binding {
        Binding::Visitor(cookie) if visit.visitor.is_none() => Some(cookie.clone()),
        _ => None,
    };
    let device = DEVICE.read(&parts.headers, state.is_https()).map(str::to_owned);
    let visitor = Visitor { sign_in, device };
    parts.extensions.insert(visit.clone());
    parts.extensions.insert(visitor.clone());

    let mut response = next.run(Request::from_parts(parts, body)).await;
    if let Err(again @ (AdminError::Again(_) | AdminError::AlreadySent)) = visit.answered_elsewhere().await {
        response = again.into_response();
    }
    if let Some(error) = response.extensions().get::<AdminError>().cloned() {
        note_refusal(&state, &visit, &visitor.sign_in, &method, &error).await;
        response = error_page::render(&error, &state, &visit);
    }
    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::from_str(&visit.request_id) {
        headers.insert(REQUEST_ID, id);
    }
    if let Some(cookie) = new_visitor {
        headers.append(SET_COOKIE, VISITOR.set(&cookie, state.is_https()));
    }
    // A flash message is cleared by the page that shows it, not by a redirect on the way.
    if had_flash && !response.status().is_redirection() {
        response.headers_mut().append(SET_COOKIE, FLASH.clear(state.is_https()));
    }
    response
}

/// What the engine's pages learn of the request.
fn visit(state: &AppState, request: &Parts, sign_in: &SignIn) -> Visit {
    let (headers, https) = (&request.headers, state.is_https());
    let visitor = VISITOR.read(headers, https).map(str::to_owned);
    let csrf_binding = match sign_in.signed() {
        Some(signed) => signed.binding(),
        None => Binding::Visitor(visitor.clone().unwrap_or_else(new_visitor)),
    };
    let message = FLASH
        .read(headers, https)
        .filter(|_| !is_by_itself(request))
        .and_then(|cookie| Message::open(&state.config.secret_key, &csrf_binding, cookie));
    let path = request.uri.path_and_query();
    let path = path.map_or_else(|| HOME.to_owned(), ToString::to_string);
    Visit {
        app: state.app.clone(),
        staff: match sign_in {
            SignIn::Complete(signed) => Some(signed.staff()),
            _ => None,
        },
        account_id: sign_in.signed().map(|signed| signed.user.id),
        sign_in_href: sign_in_href(&request.method, &path, sign_in),
        message,
        csrf_binding,
        visitor,
        theme: THEME.read(headers, https).map(Theme::parse).unwrap_or_default(),
        address: address(state, request),
        user_agent: text(headers, &USER_AGENT).map(|agent| agent.chars().take(500).collect()),
        request_id: request_id(headers),
        path,
        session_cookie: SESSION.read(headers, https).map(str::to_owned),
        form: SentForm::default(),
    }
}

/// Where the visitor goes to start or complete the sign-in.
fn sign_in_href(method: &Method, path: &str, sign_in: &SignIn) -> String {
    // Only a page can be returned to; a form would be submitted empty.
    let next = next::query(if *method == Method::GET { path } else { HOME });
    match sign_in {
        SignIn::OwesCode(_) => format!("/admin/mfa?{next}"),
        SignIn::OwesFactor(_) => format!("/admin/mfa/enrol?{next}"),
        SignIn::Nobody | SignIn::Complete(_) => format!("/admin/login?{next}"),
    }
}

/// Records refusals in the audit log: a page or action without permission, too many sign-in attempts. The page is shown
/// even if recording fails.
async fn note_refusal(state: &AppState, visit: &Visit, sign_in: &SignIn, method: &Method, error: &AdminError) {
    let (action, why) = match error {
        AdminError::Forbidden(why) => ("access_refused", why.clone()),
        AdminError::StaleForm => (
            "access_refused",
            "the form's token is missing, expired or another visitor's".to_owned(),
        ),
        AdminError::TooMany(seconds) => ("attempt_refused", format!("too many attempts; retry in {seconds} s")),
        _ => return,
    };
    let signed = sign_in.signed();
    let (whose, actor) = match signed {
        Some(signed) => (
            format!("user:{}", signed.user.id),
            visit.actor(signed.user.id, &signed.user.email),
        ),
        None => (bucket::network(visit.address).to_string(), attempts::anonymous(visit)),
    };
    // The query holds what people typed, which may be private.
    let path = visit.path.split('?').next().unwrap_or_default();
    let entry = Entry {
        action,
        object_type: ObjectType::Request.as_str(),
        object_label: Some(format!("{method} {path}").chars().take(200).collect()),
        reason: Some(why),
        ..Entry::default()
    };
    if let Err(error) = audit::record_refusal(&state.limiter, &state.db, &whose, &actor, entry).await {
        tracing::warn!(%error, "could not record a refusal in the audit log");
    }
}

/// Whether an open page sends this by itself, however long ago somebody used it.
fn is_by_itself(request: &Parts) -> bool {
    request.headers.contains_key(BY_ITSELF) || request.uri.path() == LIVE
}

async fn sign_in(state: &AppState, cookie: Option<&str>, by_itself: bool) -> Result<SignIn, DbErr> {
    let Some(token) = cookie.and_then(|text| Token::parse(TokenKind::AdminSession, text)) else {
        return Ok(SignIn::Nobody);
    };
    let Some(signed) = session::load(&state.db, &token, by_itself).await?.map(Arc::new) else {
        return Ok(SignIn::Nobody);
    };
    Ok(SignIn::of(signed, state.config.staff_mfa))
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
    let client = client_address::client_address(peer, &forwarding, &state.config.trusted_proxies);
    state.metrics.note_client(client)
}

/// The caller's request id if it is a plain word, otherwise a new one.
fn request_id(headers: &HeaderMap) -> String {
    let is_plain = |id: &&str| {
        (1..=128).contains(&id.len())
            && id
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
    };
    text(headers, &REQUEST_ID)
        .filter(is_plain)
        .map_or_else(|| new_id().to_string(), str::to_owned)
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}
