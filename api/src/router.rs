//! Every address of the API, and the layers around them.

use std::sync::Arc;

use axum::{
    Router,
    body::Body,
    extract::{FromRef, Request},
    http::{Extensions, HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, Version, header},
    middleware::{from_fn, from_fn_with_state},
    response::{IntoResponse, Response},
};
use tower::{ServiceExt, util::MapResponseLayer};
use tower_http::{
    compression::{
        CompressionBody, CompressionLayer,
        predicate::{Predicate, SizeAbove},
    },
    cors::{AllowOrigin, CorsLayer},
};
use usher_serve::settle_coding;
use usher_shared::foundation::config::GraphQl;

use crate::{
    asyncapi::asyncapi_at,
    described::Described,
    events,
    extension::ApiExtension,
    graphql,
    openapi::{openapi_at, openapi_with},
    site,
    state::AppState,
    toolkit::{
        code::Code,
        error::ApiError,
        guard::guard,
        idempotency,
        observe::{note_route, observe},
        state::Toolkit,
    },
};

/// Answers below this many bytes are sent as they are: a packet more or less is not worth the work.
const COMPRESS_ABOVE: u64 = 1024;

/// The whole API, to serve or to mount in another program.
pub fn router(state: AppState) -> Router {
    router_with(state, &ApiExtension::default())
}

/// [`router`] with what a product adds, within the same layers.
///
/// # Panics
///
/// Where [`ApiExtension::check`] finds something that is there twice.
pub fn router_with(mut state: AppState, extension: &ApiExtension) -> Router {
    let product = extension.clone();
    let document = move |api_url: &str| openapi_at(&product, api_url);
    let product = extension.clone();
    let of_events = move |api_url: &str| asyncapi_at(&product, api_url);
    let described = Described::new(extension.name(), extension.all_codes(), document).with_events(of_events);
    state.described = Arc::new(described);
    let (operations, _) = extension.operations().split_for_parts();
    let toolkit = Toolkit::from_ref(&state);
    let operations = operations.route_layer(from_fn_with_state(toolkit.clone(), idempotency::once));
    let mut routes = operations.clone().merge(site::pages()).merge(events::socket::router());
    if toolkit.config.graphql != GraphQl::Off {
        let allows_introspection = toolkit.config.graphql == GraphQl::On;
        let (document, relations) = (openapi_with(extension), extension.relations());
        let graphql = graphql::router(
            &document,
            &relations,
            operations.with_state(state.clone()),
            allows_introspection,
        );
        routes = routes.merge(graphql.unwrap_or_else(|reason| panic!("{reason}")));
    }
    let routes = routes
        .fallback(async || ApiError::from(Code::NOT_FOUND))
        .method_not_allowed_fallback(async || ApiError::from(Code::METHOD_NOT_ALLOWED))
        .with_state(state);
    let mut router = answer_trailing_slashes(routes)
        .layer((
            MapResponseLayer::new(without_encoder),
            CompressionLayer::new().compress_when(SizeAbove::new(COMPRESS_ABOVE).and(is_no_file)),
        ))
        .layer(from_fn(settle_coding))
        .layer(from_fn_with_state(toolkit.clone(), guard));
    if !toolkit.config.cors_origins.is_empty() {
        router = router.layer(cors(&toolkit.config.cors_origins));
    }
    router.layer(from_fn_with_state(toolkit, observe))
}

/// Most files are compressed by themselves, and one that isn't is sent with its size. Events are sent as they come.
fn is_no_file(_: StatusCode, _: Version, headers: &HeaderMap, _: &Extensions) -> bool {
    let is_stream = headers
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind == "text/event-stream");
    !is_stream && !headers.contains_key(header::CONTENT_DISPOSITION)
}

/// A body that is sent as it is goes on without the room for an encoder's state, more than 10 KiB that each stream would
/// hold for as long as it is open.
fn without_encoder(response: Response<CompressionBody<Body>>) -> Response {
    let is_coded = response.headers().contains_key(header::CONTENT_ENCODING);
    response.map(|body| if is_coded { Body::new(body) } else { body.into_inner() })
}

/// `/users/` is `/users`: answered, not redirected, because a redirected POST loses its body.
fn answer_trailing_slashes(routes: Router) -> Router {
    let again = routes.clone().route_layer(from_fn(note_route));
    routes.fallback(async move |mut request: Request| -> Response {
        let Some(uri) = without_slash(request.uri()) else {
            return ApiError::from(Code::NOT_FOUND).into_response();
        };
        *request.uri_mut() = uri;
        again.oneshot(request).await.into_response()
    })
}

fn without_slash(uri: &Uri) -> Option<Uri> {
    let path = uri
        .path()
        .strip_suffix('/')
        .filter(|path| !path.is_empty() && !path.ends_with('/'))?;
    let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    format!("{path}{query}").parse().ok()
}

fn cors(origins: &[String]) -> CorsLayer {
    let origins = origins.iter().filter_map(|origin| HeaderValue::from_str(origin).ok());
    CorsLayer::new()
        .allow_origin(AllowOrigin::list(origins))
        .allow_methods([Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE])
        .allow_headers([
            header::AUTHORIZATION,
            header::CONTENT_TYPE,
            header::IF_MATCH,
            header::IF_NONE_MATCH,
            HeaderName::from_static("idempotency-key"),
            HeaderName::from_static("last-event-id"),
            HeaderName::from_static("x-request-id"),
            // W3C Trace Context and Baggage, which instrumented front ends send by themselves.
            HeaderName::from_static("traceparent"),
            HeaderName::from_static("tracestate"),
            HeaderName::from_static("baggage"),
        ])
        .expose_headers([
            header::ETAG,
            header::LINK,
            header::LOCATION,
            header::RETRY_AFTER,
            header::WWW_AUTHENTICATE,
            HeaderName::from_static("idempotency-replayed"),
            HeaderName::from_static("ratelimit"),
            HeaderName::from_static("ratelimit-policy"),
            HeaderName::from_static("x-request-id"),
        ])
        .max_age(std::time::Duration::from_secs(600))
}
