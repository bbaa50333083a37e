//! The one way in for JSON bodies: size, type, encoding, syntax and depth are checked here, the fields in
//! [`crate::toolkit::fields`].

use std::{pin::pin, sync::Arc, task::Poll, time::Duration};

use axum::{
    body::{Bytes, HttpBody},
    extract::{FromRef, FromRequest, Request},
    http::{HeaderName, Method},
};
use futures::poll;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde_json::{Value, json};
use tokio::time::timeout;
use usher_serve::is_plain;
use usher_shared::foundation::rules::{Violation, ViolationKind};

use super::{
    code::Code,
    error::ApiError,
    fields::{FieldError, Fields, FromFields, Step},
    limits::admit_stranger,
    media_type::{ACCEPT_PATCH, PATCHES, media_type},
    request::RequestContext,
    state::Toolkit,
};

/// The largest body, in bytes.
pub const MAX_BODY: usize = 256 * 1024;

/// The deepest nesting of arrays and objects.
pub const MAX_DEPTH: usize = 64;

/// The most values in one body: what more of them are made into takes longer than other requests should wait.
pub const MAX_VALUES: usize = 10_000;

/// How long a body may take: less than the time limit of handlers, so that the client is told what was too slow.
const TIME: Duration = Duration::from_secs(12);

/// A JSON object, read and checked.
pub struct Body<T>(pub T);

impl<S: Send + Sync, T: FromFields> FromRequest<S> for Body<T>
where
    Toolkit: FromRef<S>,
{
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let is_json = is_json(&request)?;
        let bytes = read(request).await?;
        check(&parse(&bytes, is_json)?, &Toolkit::from_ref(state)).map(Self)
    }
}

/// The same where no body, or null, means an empty object.
pub struct OptionalBody<T>(pub T);

impl<S: Send + Sync, T: FromFields> FromRequest<S> for OptionalBody<T>
where
    Toolkit: FromRef<S>,
{
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let is_json = is_json(&request)?;
        let bytes = read(request).await?;
        let value = match bytes.is_empty() {
            true => Value::Null,
            false => parse(&bytes, is_json)?,
        };
        let value = if value.is_null() { json!({}) } else { value };
        check(&value, &Toolkit::from_ref(state)).map(Self)
    }
}

/// Any value of JSON.
pub(crate) async fn json(request: Request) -> Result<Value, ApiError> {
    let is_json = is_json(&request)?;
    parse(&read(request).await?, is_json)
}

fn check<T: FromFields>(value: &Value, toolkit: &Toolkit) -> Result<T, ApiError> {
    let Value::Object(object) = value else {
        return Err(fault(ViolationKind::ModelAttributesType, "Send a JSON object"));
    };
    let mut fields = Fields::new(object, toolkit);
    T::from_fields(&mut fields).ok_or_else(|| ApiError::Invalid(fields.into_faults()))
}

/// All bytes of the body, up to 256 KiB and uncompressed: the size of what comes out of compression can't be known
/// beforehand. Requests without a credential are counted first, so that reading is never free.
pub(crate) async fn read(request: Request) -> Result<Bytes, ApiError> {
    if let Some(context) = request.extensions().get::<Arc<RequestContext>>() {
        admit_stranger(context)?;
    }
    if !is_plain(request.headers()) {
        return Err(Code::UNSUPPORTED_CONTENT_CODING.into());
    }
    let body = request.into_body();
    if body.size_hint().lower() > MAX_BODY as u64 {
        return Err(Code::BODY_TOO_LARGE.into());
    }
    let mut body = pin!(Limited::new(body, MAX_BODY).collect());
    // Most are there at once, and need no timer.
    let collected = match poll!(&mut body) {
        Poll::Ready(collected) => collected,
        Poll::Pending => timeout(TIME, body).await.map_err(|_| Code::BODY_TIMED_OUT)?,
    };
    match collected {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(Code::BODY_TOO_LARGE.into()),
        // The client broke off or its chunks are malformed; it will hardly read the answer.
        Err(_) => Err(fault(
            ViolationKind::JsonInvalid,
            "The body ended before it was complete",
        )),
    }
}

/// Whether the body says that it is JSON: `application/json` or `application/*+json`, whatever parameters follow. A
/// patch must be of one of the kinds that are understood, because another means other changes (RFC 5789 §2.2).
fn is_json(request: &Request) -> Result<bool, ApiError> {
    let Some(named) = media_type(request.headers()) else {
        return Ok(false);
    };
    if request.method() == Method::PATCH && !PATCHES.contains(&&*named) {
        let accepted = (HeaderName::from_static("accept-patch"), ACCEPT_PATCH);
        return Err(ApiError::UnsupportedMediaType(accepted.0, accepted.1));
    }
    let subtype = named.strip_prefix("application/");
    Ok(subtype.is_some_and(|subtype| subtype == "json" || subtype.ends_with("+json")))
}

fn parse(bytes: &[u8], is_json: bool) -> Result<Value, ApiError> {
    if bytes.is_empty() {
        return Err(fault(ViolationKind::Missing, "Send a JSON object as the body"));
    }
    if !is_json {
        let message = "Send a JSON object with the header Content-Type: application/json";
        return Err(fault(ViolationKind::ModelAttributesType, message));
    }
    let text = std::str::from_utf8(bytes).map_err(|_| Code::BODY_NOT_TEXT)?;
    match excess(bytes) {
        Some((at, Excess::Depth)) => return Err(not_json(text, at, &format!("nested deeper than {MAX_DEPTH} levels"))),
        Some((at, Excess::Values)) => return Err(not_json(text, at, &format!("more than {MAX_VALUES} values"))),
        None => {}
    }
    serde_json::from_str(text).map_err(|error| {
        let words = error.to_string();
        let reason = words
            .rsplit_once(" at line ")
            .map_or(words.as_str(), |(reason, _)| reason);
        not_json(text, offset(text, &error), reason)
    })
}

/// What there is too much of.
enum Excess {
    Depth,
    Values,
}

/// Where a limit is first exceeded. A scan before parsing, so that nothing deep or wide is ever built.
fn excess(bytes: &[u8]) -> Option<(usize, Excess)> {
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    // Each value but the first of a list or an object has a comma before it.
    let mut values = 1_usize;
    for (at, byte) in bytes.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'{' | b'[' if !in_string => {
                depth += 1;
                values += 1;
                if depth > MAX_DEPTH {
                    return Some((at, Excess::Depth));
                }
            }
            b',' if !in_string => values += 1,
            b'}' | b']' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
        if values > MAX_VALUES {
            return Some((at, Excess::Values));
        }
    }
    None
}

/// The byte at which the parser stopped; it tells line and column, the column from 1.
fn offset(text: &str, error: &serde_json::Error) -> usize {
    if error.is_eof() {
        return text.len();
    }
    let lines = text.split_inclusive('\n').take(error.line().saturating_sub(1));
    lines.map(str::len).sum::<usize>() + error.column().saturating_sub(1)
}

/// `loc` counts characters, as Python does.
fn not_json(text: &str, byte: usize, reason: &str) -> ApiError {
    let offset = text.char_indices().take_while(|(at, _)| *at < byte).count();
    let violation = Violation::new(
        ViolationKind::JsonInvalid,
        format!("The body is not valid JSON: {reason}"),
    )
    .with(json!({ "error": reason }));
    ApiError::Invalid(vec![FieldError::new("body", Some(Step::Index(offset)), violation)])
}

pub(crate) fn fault(kind: ViolationKind, message: &str) -> ApiError {
    ApiError::Invalid(vec![FieldError::new("body", None, Violation::new(kind, message))])
}
