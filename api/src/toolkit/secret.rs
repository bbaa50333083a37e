//! Answers that hold a secret, such as tokens: shown once and never stored.

use axum::{
    Json,
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::ToSchema;

use super::operation::{Describe, OperationDoc};

/// A JSON body with a secret. No cache may store it (RFC 9111 §5.2.2.5), and it is not kept for a repetition under the
/// same `Idempotency-Key`.
pub struct Secret<T>(pub T);

impl<T: Serialize> IntoResponse for Secret<T> {
    fn into_response(self) -> Response {
        let no_store = (header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        ([no_store], Json(self.0)).into_response()
    }
}

impl<T: ToSchema> Describe for Secret<T> {
    fn describe(operation: &mut OperationDoc) {
        Json::<T>::describe(operation);
    }
}
