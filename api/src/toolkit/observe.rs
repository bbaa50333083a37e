//! The outermost layer: gives each request its context, sends the request id and the limits back in headers, and writes
//! the access log.

use std::{sync::Arc, time::Instant};

use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::Response,
};
use tracing::Instrument;
use usher_shared::{
    audit::{self, Entry, ObjectType},
    foundation::{rate_limit::bucket, trace},
};

use super::{
    request::{Context, REQUEST_ID, RequestContext},
    state::Toolkit,
};

/// The outermost layer.
pub(crate) async fn observe(State(toolkit): State<Toolkit>, mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let _in_flight = toolkit.metrics.enter();
    let context = Arc::new(RequestContext::of(&request, &toolkit));
    let method = request.method().clone();
    context.note_route(&request);
    request.extensions_mut().insert(Arc::clone(&context));

    let header = request
        .headers()
        .get("traceparent")
        .and_then(|value| value.to_str().ok());
    let secure = toolkit.config.api_url.starts_with("https:");
    let exported = trace::Span::request(method.as_str(), context.route(), secure, header);
    let trace = exported.trace();
    let span = tracing::info_span!("request", request_id = context.id, trace = %trace.id());
    let mut response = trace.scope(next.run(request)).instrument(span.clone()).await;

    if response.status() == StatusCode::TOO_MANY_REQUESTS {
        note_refusal(&toolkit, &context, &method).await;
    }
    add_headers(response.headers_mut(), &context, secure);
    let (route, status) = (context.route(), response.status().as_u16());
    let (address, caller) = (
        context.address,
        context.caller.get().map_or("anonymous", String::as_str),
    );
    let took = started.elapsed();
    toolkit.metrics.answered(method.as_str(), route, status, took);
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

/// Records in the audit log what was tried too often on the way in: log-ins, codes, tokens. Other refusals are only
/// counted by the metrics.
async fn note_refusal(toolkit: &Toolkit, context: &RequestContext, method: &Method) {
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
    let written = audit::record_refusal(&toolkit.limiter, &toolkit.db, &whose, &context.anonymous(), entry).await;
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
    if let Some(remaining) = context.remaining.get() {
        remaining.write(headers);
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
