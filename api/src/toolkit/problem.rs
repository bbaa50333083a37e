//! The two faces of an error: FastAPI's `{"detail": …}` with more members by default, and strict RFC 9457
//! for clients that accept `application/problem+json`.

use axum::{
    body::Body,
    extract::Request,
    http::{HeaderMap, HeaderValue, header},
    response::Response,
};
use serde::Serialize;
use usher_serve::quality;
use usher_shared::foundation::rules::ViolationKind;
use utoipa::ToSchema;

use super::{
    code::Code,
    error::ApiError,
    fields::{FieldError, Step},
};

/// Where OAuth clients get tokens. Errors look as those clients expect, also the ones that layers answer.
pub(crate) const TOKEN_PATH: &str = "/oauth/token";

/// For caches older than `Cache-Control` (RFC 6749 §5.1).
pub(crate) const NO_CACHE: [(header::HeaderName, HeaderValue); 1] =
    [(header::PRAGMA, HeaderValue::from_static("no-cache"))];

/// The media types of the two faces.
pub(crate) const PLAIN: &str = "application/json";
pub(crate) const STRICT: &str = "application/problem+json";

/// Which face the client asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Face {
    Default,
    Strict,
    /// The default one with the members of RFC 6749 §5.2, whatever `Accept` says: OAuth clients look for those alone.
    OAuth,
}

impl Face {
    /// That of the token endpoint, or what [`Face::asked_by`] says.
    pub(crate) fn of(request: &Request) -> Self {
        match request.uri().path().trim_end_matches('/') {
            TOKEN_PATH => Self::OAuth,
            _ => Self::asked_by(request.headers()),
        }
    }

    /// Strict when `Accept` names `application/problem+json` and does not prefer `application/json`.
    pub(crate) fn asked_by(headers: &HeaderMap) -> Self {
        let quality = |wanted| quality(headers, header::ACCEPT, wanted).unwrap_or_default();
        let strict = quality(STRICT);
        if strict > 0.0 && strict >= quality(PLAIN) {
            Self::Strict
        } else {
            Self::Default
        }
    }
}

/// An error in the default face.
#[derive(Serialize, ToSchema)]
#[schema(as = Error)]
pub(crate) struct ErrorOut<'a> {
    /// What went wrong, for a person.
    detail: &'static str,
    /// The address of an explanation.
    #[schema(format = "uri")]
    r#type: String,
    /// The same words for every occurrence of this code.
    title: &'static str,
    /// The status, once more.
    #[schema(minimum = 400, maximum = 599)]
    status: u16,
    code: Code,
    /// What to tell the operator.
    request_id: &'a str,
}

/// An error of the token endpoint.
#[derive(Serialize)]
struct OAuthProblemOut<'a> {
    error: &'static str,
    error_description: &'static str,
    #[serde(flatten)]
    problem: ErrorOut<'a>,
}

/// The nearest of the words that OAuth has (RFC 6749 §4.1.2.1, §5.2).
fn oauth_word(code: Code) -> &'static str {
    match code {
        Code::RATE_LIMITED | Code::SERVICE_UNAVAILABLE | Code::TIMED_OUT => "temporarily_unavailable",
        Code::INTERNAL_ERROR => "server_error",
        _ => "invalid_request",
    }
}

/// A 422 in the default face.
#[derive(Serialize, ToSchema)]
#[schema(as = ValidationError)]
pub(crate) struct ValidationErrorOut<'a> {
    /// Every fault of the request, in the order in which the fields are declared.
    #[schema(value_type = Vec<crate::toolkit::fields::FaultOut>)]
    detail: &'a [FieldError],
    /// The address of an explanation.
    #[schema(format = "uri")]
    r#type: String,
    /// The same words for every occurrence of this code.
    title: &'static str,
    /// The status, once more.
    #[schema(minimum = 400, maximum = 599)]
    status: u16,
    code: Code,
    /// What to tell the operator.
    request_id: &'a str,
}

/// An error in strict RFC 9457, for `Accept: application/problem+json`.
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub(crate) struct ProblemOut<'a> {
    /// The address of an explanation.
    #[schema(format = "uri")]
    r#type: String,
    /// The same words for every occurrence of this code.
    title: &'static str,
    /// The status, once more.
    #[schema(minimum = 400, maximum = 599)]
    status: u16,
    /// What went wrong, for a person.
    detail: &'static str,
    code: Code,
    /// What to tell the operator.
    request_id: &'a str,
    /// Every fault of the request.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<Fault<'a>>,
}

/// One fault in the strict face.
#[derive(Serialize, ToSchema)]
#[schema(as = ProblemFault)]
struct Fault<'a> {
    /// The kind of fault, as a stable word.
    r#type: &'static str,
    /// What to do, for a person.
    detail: &'a str,
    /// Where it is in the body, as a JSON Pointer in a URI fragment.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pointer: Option<String>,
    /// Which parameter of path, query or header it is in.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    parameter: Option<String>,
}

impl<'a> From<&'a FieldError> for Fault<'a> {
    fn from(fault: &'a FieldError) -> Self {
        let violation = &fault.violation;
        let in_body = matches!(&fault.location[..], [Step::Key(part), ..] if part == "body");
        let way = &fault.location[1..];
        Self {
            r#type: violation.kind.as_str(),
            detail: &violation.message,
            pointer: in_body.then(|| pointer(way, violation.kind)),
            parameter: (!in_body).then(|| way.iter().map(plain).collect::<Vec<_>>().join(".")),
        }
    }
}

/// A JSON Pointer as a URI fragment (RFC 6901 §6). What is no JSON has no places to point at but the whole.
fn pointer(way: &[Step], kind: ViolationKind) -> String {
    let mut pointer = "#".to_owned();
    if kind != ViolationKind::JsonInvalid {
        for step in way {
            pointer.push('/');
            pointer.push_str(&plain(step).replace('~', "~0").replace('/', "~1"));
        }
    }
    pointer
}

fn plain(step: &Step) -> String {
    match step {
        Step::Key(key) => key.to_string(),
        Step::Index(index) => index.to_string(),
    }
}

/// The error as bytes of JSON.
pub(crate) fn body(error: &ApiError, face: Face, request_id: &str, api_url: &str) -> Vec<u8> {
    let code = error.code();
    let plain = ErrorOut {
        detail: code.detail(),
        r#type: format!("{api_url}{}", code.path()),
        title: code.title(),
        status: code.status().as_u16(),
        code,
        request_id,
    };
    let bytes = match (face, error.faults()) {
        (Face::Strict, faults) => serde_json::to_vec(&ProblemOut {
            r#type: plain.r#type,
            title: plain.title,
            status: plain.status,
            detail: plain.detail,
            code,
            request_id,
            errors: faults.iter().map(Fault::from).collect(),
        }),
        (Face::OAuth, _) => serde_json::to_vec(&OAuthProblemOut {
            error: oauth_word(code),
            error_description: plain.detail,
            problem: plain,
        }),
        (Face::Default, []) => serde_json::to_vec(&plain),
        (Face::Default, detail) => serde_json::to_vec(&ValidationErrorOut {
            detail,
            r#type: plain.r#type,
            title: plain.title,
            status: plain.status,
            code,
            request_id,
        }),
    };
    bytes.unwrap_or_default()
}

/// Gives an answer without a body the body of its error. Status and headers stay.
pub(crate) fn fill(response: &mut Response, error: &ApiError, face: Face, request_id: &str, api_url: &str) {
    let content_type = match face {
        Face::Default | Face::OAuth => PLAIN,
        Face::Strict => STRICT,
    };
    *response.body_mut() = Body::from(body(error, face, request_id, api_url));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.remove(header::CONTENT_LENGTH);
    match face {
        Face::OAuth => headers.extend(NO_CACHE),
        Face::Default | Face::Strict => drop(headers.append(header::VARY, header::ACCEPT.into())),
    }
}
