//! Strong entity tags from a row's version, and conditional requests (RFC 9110 §8.8.3 and §13.1).

use axum::http::{HeaderMap, HeaderValue, header};
use utoipa::IntoParams;

/// `If-Match`, for the documents.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "only describes what `may_change` reads")]
pub(crate) struct IfMatch {
    /// The `ETag` that the change is for, or `*`: 412, and nothing is done, if another version is there by now.
    #[param(
        rename = "If-Match",
        required = false,
        pattern = r#"^(\*|"[!#-~]*"( *, *"[!#-~]*")*)$"#,
        example = "\"1\""
    )]
    if_match: String,
}

/// `If-None-Match` of reading, for the documents.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "only describes what `is_known` reads")]
pub(crate) struct IfNoneMatch {
    /// An `ETag` from before: 304 if it still holds.
    #[param(rename = "If-None-Match", required = false, example = "\"0\"")]
    if_none_match: String,
}

/// The tag of this version of a row.
pub(crate) fn etag(version: i32) -> HeaderValue {
    HeaderValue::from_str(&format!("\"{version}\"")).expect("digits in quotes are a header value")
}

/// Whether `If-None-Match` says that the client has this tag already.
pub(crate) fn is_known(headers: &HeaderMap, tag: &HeaderValue) -> bool {
    let Ok(tag) = tag.to_str() else { return false };
    let lists = headers
        .get_all(header::IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok());
    lists.flat_map(|list| list.split(',')).map(str::trim).any(|known| {
        // The weak comparison, as RFC 9110 §13.1.2 asks.
        known == "*" || known.strip_prefix("W/").unwrap_or(known) == tag
    })
}

/// Whether `If-None-Match` lets something new be made: `*` says that nothing may be there yet.
pub(crate) fn may_replace(headers: &HeaderMap, tag: &HeaderValue) -> bool {
    !headers.contains_key(header::IF_NONE_MATCH) || !is_known(headers, tag)
}

/// Whether the client means something that is there already.
pub(crate) fn expects_one(headers: &HeaderMap) -> bool {
    headers.contains_key(header::IF_MATCH)
}

/// Whether `If-Match` lets this version be changed. Without the header it may be.
pub(crate) fn may_change(headers: &HeaderMap, tag: &HeaderValue) -> bool {
    let mut lists = headers.get_all(header::IF_MATCH).iter().peekable();
    if lists.peek().is_none() {
        return true;
    }
    let lists = lists.filter_map(|value| value.to_str().ok());
    // The strong comparison, as RFC 9110 §13.1.1 asks: a weak tag matches nothing.
    let mut tags = lists.flat_map(|list| list.split(',')).map(str::trim);
    tags.any(|wanted| wanted == "*" || wanted.as_bytes() == tag.as_bytes())
}
