//! The `Idempotency-Key` header itself, and what is wrong with one.

use axum::http::HeaderMap;

use crate::toolkit::{error::ApiError, fields::FieldError};

pub(super) const NAME: &str = "idempotency-key";
/// The longest key, in bytes.
pub(super) const MAX_KEY: usize = 255;

/// Operations that are repeated by other means: a log-in opens another session, and a lost answer of a refresh is asked
/// for again with the same refresh token. Their answers hold tokens, so a kept one could only be refused.
pub(super) const WITHOUT: [&str; 3] = ["/auth/login", "/auth/refresh", "/oauth/token"];

/// 1–255 visible ASCII characters; quotes, as the draft has them, belong to it.
pub(crate) fn key_of(headers: &HeaderMap) -> Result<String, ApiError> {
    let mut values = headers.get_all(NAME).iter();
    let key = values.next().and_then(|value| value.to_str().ok()).unwrap_or_default();
    let is_good = (1..=MAX_KEY).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic());
    if is_good && values.next().is_none() {
        Ok(key.to_owned())
    } else {
        let message = "Send one Idempotency-Key of 1 to 255 visible ASCII characters, such as a random UUID";
        Err(ApiError::Invalid(vec![FieldError::in_header(
            "Idempotency-Key",
            message,
        )]))
    }
}
