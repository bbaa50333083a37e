//! The admin's router, the headers of every response, and the server.

use std::time::Instant;

use axum::{
    Router,
    extract::{DefaultBodyLimit, MatchedPath, Request, State},
    http::{HeaderValue, Uri, header},
    middleware::{self, Next},
    response::{IntoResponse, Redirect, Response},
    routing::{get, post},
};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tower_http::{catch_panic::CatchPanicLayer, compression::CompressionLayer};
use usher_serve::{Patience, serve_metrics, settle_coding};
use usher_shared::{
    AppContext,
    foundation::{
        process::{self, BindError},
        trace,
    },
};

use usher_admin_engine::{AdminError, missing_indexes, routes, serve_asset};

use crate::pages::{account, dashboard, impersonation, theme};
use crate::routes::Routes;
use crate::sign_in::{code, enrol, login, reauth};
use crate::state::AppState;
use crate::{apps, health, live, visit};

/// Forms are far smaller.
const MAX_BODY_BYTES: usize = 1024 * 1024;

/// Everything is loaded from this server and nothing is inline, so stored content cannot run as a script.
pub(crate) const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
     connect-src 'self'; frame-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

/// The admin, to be served alone or mounted in another axum program.
pub fn router(state: AppState) -> Router {
    let pages = pages(&state)
        .into_router()
        .fallback(nothing)
        .method_not_allowed_fallback(async || AdminError::MethodNotAllowed)
        .layer(middleware::from_fn_with_state(state.clone(), visit::receive));
    Router::new()
        .route("/", get(to_dashboard))
        .route("/admin", get(to_dashboard))
        .route("/health/live", get(health::live))
        .route("/health/ready", get(health::ready))
        .route("/admin/assets/{file}", get(serve_asset).with_state((*state).clone()))
        .merge(pages)
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .layer(CompressionLayer::new())
        .layer(middleware::from_fn(settle_coding))
        .layer(middleware::from_fn_with_state(state.clone(), harden))
        .layer(CatchPanicLayer::new())
        .layer(middleware::from_fn_with_state(state.clone(), measure))
        .with_state(state)
}

fn pages(state: &AppState) -> Routes {
    let mut pages = Routes::new(state.clone())
        .open("/admin/login", get(login::form).post(login::sign_in))
        .open("/admin/logout", post(login::sign_out))
        .open("/admin/mfa", get(code::form).post(code::answer))
        .open("/admin/mfa/enrol", get(enrol::form).post(enrol::enrol))
        .open("/admin/mfa/saved", post(code::saved))
        .open("/admin/theme", post(theme::switch))
        .staff("/admin/", get(dashboard::show))
        .staff(apps::LIVE, get(live::follow))
        .staff("/admin/reauthenticate", get(reauth::form).post(reauth::answer))
        .staff("/admin/account", get(account::show))
        .staff("/admin/account/password", post(account::set_password))
        .staff("/admin/account/factors/{id}/remove", post(account::remove_factor))
        .staff("/admin/account/recovery-codes", post(account::make_codes))
        .staff("/admin/account/sessions/revoke", post(account::revoke));
    if impersonation::is_offered(&state.site) {
        pages = pages.staff("/admin/impersonation/end", post(impersonation::end));
    }
    routes(state)
        .into_iter()
        .fold(pages, |pages, (path, methods)| pages.staff(path, methods))
}

/// The path of every page, with `{model}` and `{id}` where the engine fills them in, and those that apps add.
#[must_use]
pub fn paths(state: &AppState) -> Vec<String> {
    pages(state).paths().to_vec()
}

/// Serves the admin without a product until cancelled, then lets what runs finish. See [`serve_with`].
pub async fn serve(app: &AppContext, listener: TcpListener, stop: CancellationToken) {
    serve_with(AppState::new(app), listener, stop).await;
}

/// [`serve`] on `ADMIN_ADDR`, with metrics on `METRICS_ADDR` where that is set. See [`run_with`].
pub async fn run(app: &AppContext, stop: CancellationToken) -> Result<(), BindError> {
    run_with(AppState::new(app), stop).await
}

/// Serves this admin until cancelled, then lets what runs finish.
pub async fn serve_with(mut state: AppState, listener: TcpListener, stop: CancellationToken) {
    tracing::info!(address = %state.config.admin_addr, "the admin is listening");
    // A list without its index is slow but correct, so the admin starts anyway.
    match missing_indexes(&state.db, &state.site).await {
        Ok(missing) => missing.iter().for_each(|missing| tracing::warn!("{missing}")),
        Err(error) => tracing::warn!(%error, "could not read the indexes of the admin's lists"),
    }
    state.stopping = stop.clone();
    usher_serve::serve(router(state), listener, Patience::default(), stop).await;
}

/// [`serve_with`] on `ADMIN_ADDR`, with metrics on `METRICS_ADDR` where that is set.
pub async fn run_with(state: AppState, stop: CancellationToken) -> Result<(), BindError> {
    let listener = process::bind(state.config.admin_addr, "ADMIN_ADDR").await?;
    let mut _told = None;
    if let Some(address) = state.config.metrics_addr {
        let app = state.app.clone();
        _told = Some(serve_metrics(
            process::bind(address, "METRICS_ADDR").await?,
            move || app.render_metrics(),
        ));
    }
    serve_with(state, listener, stop).await;
    Ok(())
}

/// Counts and traces the request by its route pattern.
async fn measure(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let (started, _in_flight) = (Instant::now(), state.metrics.enter());
    let route = request.extensions().get::<MatchedPath>().cloned();
    let route = route.as_ref().map_or(trace::NO_ROUTE, MatchedPath::as_str);
    let method = request.method().clone();
    let header = request
        .headers()
        .get("traceparent")
        .and_then(|value| value.to_str().ok());
    let span = trace::Span::request(method.as_str(), route, state.is_https(), header);
    let response = span.trace().scope(next.run(request)).await;
    let status = response.status().as_u16();
    state
        .metrics
        .answered(method.as_str(), route, status, started.elapsed());
    span.answered(method.as_str(), route, status);
    response
}

/// Default headers of every response; a handler's own values win.
async fn harden(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let defaults = [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "same-origin"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    let headers = response.headers_mut();
    for (name, value) in defaults {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    if state.is_https() {
        headers.insert(
            header::STRICT_TRANSPORT_SECURITY,
            HeaderValue::from_static("max-age=31536000"),
        );
    }
    headers.insert("cross-origin-opener-policy", HeaderValue::from_static("same-origin"));
    headers.insert(
        "permissions-policy",
        HeaderValue::from_static("camera=(), microphone=(), geolocation=()"),
    );
    response
}

async fn to_dashboard() -> Redirect {
    Redirect::to("/admin/")
}

/// Redirects an address with a trailing slash to the one without.
async fn nothing(uri: Uri) -> Response {
    match uri.path().strip_suffix('/') {
        Some(path) if path.starts_with("/admin/") && !path.ends_with('/') => Redirect::to(path).into_response(),
        _ => AdminError::NotFound.into_response(),
    }
}
