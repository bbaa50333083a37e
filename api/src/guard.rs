//! What no handler has to think of: the time limit, panics, and the body of every error.

use std::{any::Any, panic::AssertUnwindSafe, sync::Arc};

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use futures::FutureExt;

use crate::{error::ApiError, problem, problem::Face, request::Context, state::AppState};

/// Runs the handler within the limits and turns every failure into a problem.
pub(crate) async fn guard(
    State(state): State<AppState>,
    Context(context): Context,
    request: Request,
    next: Next,
) -> Response {
    let face = Face::asked_by(request.headers());
    let handler = AssertUnwindSafe(next.run(request)).catch_unwind();
    let mut response = match tokio::time::timeout(state.time_limit, handler).await {
        Ok(Ok(response)) => response,
        Ok(Err(panic)) => ApiError::Internal(anyhow::anyhow!("panicked: {}", words(&*panic))).into_response(),
        Err(_) => ApiError::TimedOut.into_response(),
    };
    if response.status().as_u16() < 400 {
        return response;
    }
    let error = response.extensions_mut().remove::<Arc<ApiError>>();
    if let Some(error) = error.or_else(|| problem::of_status(response.status()).map(Arc::new)) {
        if let Some(cause) = error.cause() {
            tracing::error!(code = error.code().as_str(), cause, "the request failed");
        }
        problem::fill(&mut response, &error, face, &context.id, &state.config.api_url);
    }
    response
}

fn words(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("without a message")
}
