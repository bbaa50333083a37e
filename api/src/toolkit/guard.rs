//! Around every handler: the time limit, panics, and the body of every error.

use std::{any::Any, panic::AssertUnwindSafe, sync::Arc};

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use futures::FutureExt;
use usher_shared::foundation::db::cut_before_commit;

use super::{
    code::Code,
    error::ApiError,
    problem::{self, Face},
    request::Context,
    state::Toolkit,
};

/// The longest path and query, in bytes.
const MAX_ADDRESS: usize = 8 * 1024;
/// Names and values of all headers, in bytes.
const MAX_HEADERS: usize = 16 * 1024;

/// Runs the handler within the limits and turns every failure into a problem.
pub(crate) async fn guard(
    State(toolkit): State<Toolkit>,
    Context(context): Context,
    request: Request,
    next: Next,
) -> Response {
    let face = Face::of(&request);
    let handler = async {
        match oversized(&request) {
            Some(code) => ApiError::from(code).into_response(),
            None => next.run(request).await,
        }
    };
    let response = within_limits(&toolkit, handler).await;
    let mut response = response.unwrap_or_else(IntoResponse::into_response);
    if let Some(error) = response.extensions_mut().remove::<Arc<ApiError>>() {
        if let Some(cause) = error.cause() {
            tracing::error!(code = error.code().as_str(), cause, "the request failed");
        }
        problem::fill(&mut response, &error, face, &context.id, &toolkit.config.api_url);
    }
    response
}

/// Runs what answers a client.
///
/// # Errors
///
/// If it takes too long, or panics.
pub(crate) async fn within_limits<T>(toolkit: &Toolkit, work: impl Future<Output = T>) -> Result<T, ApiError> {
    match cut_before_commit(toolkit.time_limit, AssertUnwindSafe(work).catch_unwind()).await {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(panic)) => Err(ApiError::Internal(anyhow::anyhow!("panicked: {}", words(&*panic)))),
        Err(cut) => Err(cut.into()),
    }
}

/// Rejects requests that are too long before anything reads them.
fn oversized(request: &Request) -> Option<Code> {
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
        Some(Code::URI_TOO_LONG)
    } else if headers > MAX_HEADERS {
        Some(Code::HEADERS_TOO_LARGE)
    } else {
        None
    }
}

fn words(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("without a message")
}
