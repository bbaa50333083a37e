//! What bodies can be.

use axum::http::{HeaderMap, header};

/// The kinds of patches that are understood, and the same as a header.
pub(super) const PATCHES: [&str; 2] = ["application/merge-patch+json", "application/json"];
pub(crate) const ACCEPT_PATCH: &str = "application/merge-patch+json, application/json";

/// Files of forms.
pub(crate) const MULTIPART: &str = "multipart/form-data";

/// Forms, as browsers and OAuth clients send them.
pub(super) const FORM: &str = "application/x-www-form-urlencoded";

/// What the body says that it is, in lower case and without parameters.
pub(crate) fn media_type(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    let named = value.split(';').next().unwrap_or_default().trim();
    Some(named.to_ascii_lowercase())
}
