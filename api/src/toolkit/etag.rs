//! Strong entity tags from a row's version, and conditional requests (RFC 9110 §8.8.3 and §13.1).

use std::convert::Infallible;

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header, request::Parts},
};
use utoipa::{
    IntoParams,
    openapi::path::{Parameter, ParameterIn},
};

use super::{
    answers::Versioned,
    code::Code,
    error::ApiError,
    fields::FieldError,
    operation::{Describe, OperationDoc},
};

/// `If-Match`: which version of a row a change is for. In a handler's signature it reads the header; in the `params` of
/// a document it describes it.
pub struct IfMatch(HeaderMap);

impl IfMatch {
    /// Lets a change of this version through.
    ///
    /// # Errors
    ///
    /// As [`may_change`].
    pub fn allows(&self, version: i32) -> Result<(), ApiError> {
        may_change(&self.0, &etag(version))
    }
}

impl IntoParams for IfMatch {
    fn into_params(part: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        IfMatchHeader::into_params(part)
    }
}

#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "only describes what `may_change` reads")]
struct IfMatchHeader {
    /// The `ETag` that the change is for, or `*`: 412, and nothing is done, if another version is there by now.
    #[param(
        rename = "If-Match",
        required = false,
        pattern = r#"^(\*|(W/)?"[!#-~]*"( *, *(W/)?"[!#-~]*")*)$"#,
        example = "\"1\""
    )]
    if_match: String,
}

impl Describe for IfMatch {
    fn describe(operation: &mut OperationDoc) {
        for parameter in Self::into_params(|| None) {
            operation.parameter(parameter);
        }
        operation.errors(&[Code::PRECONDITION_FAILED, Code::INVALID_REQUEST]);
        operation.sample_header(|| malformed(header::IF_MATCH));
    }
}

impl<S: Sync> FromRequestParts<S> for IfMatch {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self(parts.headers.clone()))
    }
}

/// `If-None-Match` of reading: which version a client has already. In a handler's signature it reads the header; in the
/// `params` of a document it describes it.
pub struct IfNoneMatch(HeaderMap);

impl IfNoneMatch {
    /// The row, or 304 where the client has this version.
    pub fn answer<T>(&self, version: i32, row: impl Into<T>) -> Versioned<T> {
        Versioned::new(version, row).if_new(is_known(&self.0, &etag(version)))
    }

    /// Whether the client has what this tag stands for.
    #[must_use]
    pub fn has(&self, tag: &HeaderValue) -> bool {
        is_known(&self.0, tag)
    }
}

impl IntoParams for IfNoneMatch {
    fn into_params(part: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        IfNoneMatchHeader::into_params(part)
    }
}

#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "only describes what `is_known` reads")]
struct IfNoneMatchHeader {
    /// An `ETag` from an earlier response: 304 if nothing has changed since.
    #[param(rename = "If-None-Match", required = false, example = "\"0\"")]
    if_none_match: String,
}

impl Describe for IfNoneMatch {
    fn describe(operation: &mut OperationDoc) {
        for parameter in Self::into_params(|| None) {
            operation.parameter(parameter);
        }
        operation.empty_answer(
            StatusCode::NOT_MODIFIED,
            "Not changed since the version in `If-None-Match`",
        );
    }
}

impl<S: Sync> FromRequestParts<S> for IfNoneMatch {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self(parts.headers.clone()))
    }
}

/// The tag of this version of a row.
#[must_use]
pub fn etag(version: i32) -> HeaderValue {
    HeaderValue::from_str(&format!("\"{version}\"")).expect("digits in quotes are a header value")
}

/// Whether `If-None-Match` says that the client has this tag already. A list that is none says nothing: the answer is
/// then sent whole.
#[must_use]
pub fn is_known(headers: &HeaderMap, tag: &HeaderValue) -> bool {
    matches!(given(headers, header::IF_NONE_MATCH), Ok(Some(tags)) if tags.iter().any(|known| is_same(known, tag)))
}

/// Refuses to replace what `If-None-Match` names; `*` says that nothing may be there yet.
///
/// # Errors
///
/// [`Code::PRECONDITION_FAILED`], or a header that is no list of tags.
pub fn may_replace(headers: &HeaderMap, tag: &HeaderValue) -> Result<(), ApiError> {
    match given(headers, header::IF_NONE_MATCH)? {
        Some(tags) if tags.iter().any(|known| is_same(known, tag)) => Err(Code::PRECONDITION_FAILED.into()),
        _ => Ok(()),
    }
}

/// The weak comparison, as RFC 9110 §13.1.2 asks.
fn is_same(known: &str, tag: &HeaderValue) -> bool {
    known == "*" || known.strip_prefix("W/").unwrap_or(known).as_bytes() == tag.as_bytes()
}

/// Refuses to make something where `If-Match` says that it is there already.
///
/// # Errors
///
/// [`Code::PRECONDITION_FAILED`], or a header that is no list of tags.
pub fn may_create(headers: &HeaderMap) -> Result<(), ApiError> {
    given(headers, header::IF_NONE_MATCH)?;
    matches(headers, |_| false)
}

/// Refuses a change that `If-Match` says is for another version than this one. Without the header there is none.
///
/// # Errors
///
/// [`Code::PRECONDITION_FAILED`], or a header that is no list of tags.
pub fn may_change(headers: &HeaderMap, tag: &HeaderValue) -> Result<(), ApiError> {
    // The strong comparison, as RFC 9110 §13.1.1 asks: a weak tag matches nothing.
    matches(headers, |wanted| wanted == "*" || wanted.as_bytes() == tag.as_bytes())
}

fn matches(headers: &HeaderMap, is_there: impl Fn(&str) -> bool) -> Result<(), ApiError> {
    match given(headers, header::IF_MATCH)? {
        Some(tags) if !tags.iter().any(|tag| is_there(tag)) => Err(Code::PRECONDITION_FAILED.into()),
        _ => Ok(()),
    }
}

/// The tags in all lines of the header, which are one list (RFC 9110 §5.3); none without it.
fn given(headers: &HeaderMap, name: HeaderName) -> Result<Option<Vec<String>>, ApiError> {
    let lines: Vec<_> = headers.get_all(&name).iter().map(HeaderValue::as_bytes).collect();
    if lines.is_empty() {
        return Ok(None);
    }
    // What is no UTF-8 is in no tag of ours.
    let list = String::from_utf8_lossy(&lines.join(&b',')).into_owned();
    let read = tags(&list).map(|tags| tags.into_iter().map(str::to_owned).collect());
    read.map(Some).ok_or_else(|| ApiError::Invalid(vec![malformed(name)]))
}

/// `*`, or the tags of a list of them, whose empty elements count for nothing (RFC 9110 §5.6.1.2, §8.8.3); none if it
/// is neither.
pub(crate) fn tags(list: &str) -> Option<Vec<&str>> {
    let is_empty = |c: char| matches!(c, ',' | ' ' | '\t');
    let mut rest = list.trim_matches(is_empty);
    if rest == "*" {
        return Some(vec!["*"]);
    }
    let mut tags = vec![];
    loop {
        let opaque = rest.strip_prefix("W/").unwrap_or(rest).strip_prefix('"')?;
        let inside = opaque.find('"').filter(|end| !opaque[..*end].contains([' ', '\t']))?;
        let (tag, after) = rest.split_at(rest.len() - opaque.len() + inside + 1);
        tags.push(tag);
        match after.trim_start() {
            "" => return Some(tags),
            after => rest = after.strip_prefix(',')?.trim_start_matches(is_empty),
        }
    }
}

fn malformed(name: HeaderName) -> FieldError {
    let name = if name == header::IF_MATCH {
        "If-Match"
    } else {
        "If-None-Match"
    };
    let message = "Send the ETag exactly as received, with its quotes, such as \"1\"; or * for any version";
    FieldError::in_header(name, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_tags_is_read_as_the_rfc_writes_it() {
        assert_eq!(tags("*"), Some(vec!["*"]));
        assert_eq!(tags(r#" "1" "#), Some(vec![r#""1""#]));
        assert_eq!(tags(r#""a,b" ,W/"2","""#), Some(vec![r#""a,b""#, r#"W/"2""#, r#""""#]));
        for malformed in [
            "",
            "1",
            r#""1"#,
            r#""1" "2""#,
            ", ,",
            r#"*, "1""#,
            r#""1", *"#,
            r#""a b""#,
            "\"a\tb\"",
            r#"w/"1""#,
        ] {
            assert_eq!(tags(malformed), None, "{malformed}");
        }
    }
}
