//! What no handler has to think of: the time limit, panics, and the body of every error.

use std::{any::Any, panic::AssertUnwindSafe, sync::Arc};

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use futures::FutureExt;

use crate::{error::ApiError, problem, problem::Face, request::Context, state::AppState};

/// The longest path and query, in bytes.
const MAX_ADDRESS: usize = 8 * 1024;
/// Names and values of all headers, in bytes.
const MAX_HEADERS: usize = 16 * 1024;

/// Runs the handler within the limits and turns every failure into a problem.
pub(crate) async fn guard(
    State(state): State<AppState>,
    Context(context): Context,
    request: Request,
    next: Next,
) -> Response {
    let face = Face::asked_by(request.headers());
    let handler = AssertUnwindSafe(async {
        match oversized(&request) {
            Some(error) => error.into_response(),
            None => next.run(request).await,
        }
    });
    let mut response = match tokio::time::timeout(state.time_limit, handler.catch_unwind()).await {
        Ok(Ok(response)) => response,
        Ok(Err(panic)) => ApiError::Internal(anyhow::anyhow!("panicked: {}", words(&*panic))).into_response(),
        Err(_) => ApiError::TimedOut.into_response(),
    };
    if let Some(error) = response.extensions_mut().remove::<Arc<ApiError>>() {
        if let Some(cause) = error.cause() {
            tracing::error!(code = error.code().as_str(), cause, "the request failed");
        }
        problem::fill(&mut response, &error, face, &context.id, &state.config.api_url);
    }
    response
}

/// What is longer than any request of ours, before anybody reads it.
fn oversized(request: &Request) -> Option<ApiError> {
    let address = request
        .uri()
        .path_and_query()
        .map_or(0, |address| address.as_str().len());
    let headers: usize = request
        .headers()
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len())
        .sum();
    if address > MAX_ADDRESS {
        Some(ApiError::UriTooLong)
    } else if headers > MAX_HEADERS {
        Some(ApiError::HeadersTooLarge)
    } else {
        None
    }
}

fn words(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("without a message")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use axum::{Router, body::Body, http::StatusCode, middleware::from_fn_with_state, routing::get};
    use tower::ServiceExt;
    use usher_shared::{
        Config, House, SecretKey,
        config::{Mode, Source},
    };
    use usher_testkit::TestDb;

    use super::*;
    use crate::request::observe;

    /// No handler of ours panics or hangs, so these two do.
    async fn ask(path: &str) -> (StatusCode, serde_json::Value) {
        let db = TestDb::sqlite().await;
        let secret = SecretKey::generate_base64();
        let settings = Source::of([("DATABASE_URL", db.url()), ("SECRET_KEY", &secret)]);
        let config = Config::read(Mode::Room, &settings).expect("good settings");
        let house = House::with(config, db.connect().await, true);
        let state = AppState::with_time_limit(&house, Duration::from_millis(50));
        let router = Router::new()
            .route("/panic", get(async || -> () { panic!("a secret") }))
            .route("/hang", get(std::future::pending::<()>))
            .layer(from_fn_with_state(state.clone(), guard))
            .layer(from_fn_with_state(state, observe));
        let request = Request::builder().uri(path).body(Body::empty()).expect("a request");
        let Ok(response) = router.oneshot(request).await;
        let (parts, body) = response.into_parts();
        let body = axum::body::to_bytes(body, usize::MAX).await.expect("a body");
        assert!(!String::from_utf8_lossy(&body).contains("secret"));
        (parts.status, serde_json::from_slice(&body).expect("JSON"))
    }

    #[tokio::test]
    async fn a_panic_is_a_500_that_tells_nothing() {
        let (status, body) = ask("/panic").await;
        assert_eq!(
            (status, &body["code"]),
            (StatusCode::INTERNAL_SERVER_ERROR, &"internal_error".into())
        );
    }

    #[tokio::test]
    async fn a_handler_that_hangs_is_stopped() {
        let (status, body) = ask("/hang").await;
        assert_eq!(
            (status, &body["code"]),
            (StatusCode::SERVICE_UNAVAILABLE, &"timed_out".into())
        );
    }
}
