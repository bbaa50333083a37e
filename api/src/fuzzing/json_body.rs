//! Bodies: what is taken is JSON by another reader's word as well, and means the same however it is written.

use axum::{
    body::Body as Bytes,
    extract::{FromRequest, Request},
    http::header,
};
use futures::FutureExt;
use serde_json::Value;
use usher_api_macros::FromFields;
use usher_shared::foundation::rules::{Age, Email, ExternalId, Name, Violation};
use utoipa::openapi::Schema;

use crate::toolkit::{
    body::{Body, MAX_DEPTH},
    code::Code,
    error::ApiError,
    fields::{Field, Fields, Patch, Step, Violations, string, strings},
    list::fuzzing::STATES,
    problem::{self, Face},
    schema::text,
};

/// A body of every kind of field.
#[derive(Debug, PartialEq, FromFields)]
#[schema(as = Sample)]
struct Sample {
    name: Name,
    email: Patch<Email>,
    age: Option<Age>,
    external_id: Patch<Option<ExternalId>>,
    scopes: Words,
}

impl Field for ExternalId {
    fn read(value: &Value, _: &Fields<'_>) -> Result<Self, Violations> {
        Ok(Self::parse(string(value)?)?)
    }

    fn schema() -> Schema {
        text().into()
    }
}

/// A list whose every element can be at fault.
#[derive(Debug, PartialEq)]
struct Words(Vec<String>);

impl Field for Words {
    fn read(value: &Value, _: &Fields<'_>) -> Result<Self, Violations> {
        let words = strings(value)?;
        let empty = words.iter().filter(|word| word.is_empty());
        let faults: Vec<_> = empty.map(|_| Violation::value("An empty word")).collect();
        if faults.is_empty() {
            Ok(Self(words.into_iter().map(str::to_owned).collect()))
        } else {
            Err(faults.into())
        }
    }

    fn schema() -> Schema {
        text().into()
    }
}

/// A content type in the first line, then the body.
pub fn json_body(data: &[u8]) {
    let end = data.iter().position(|byte| *byte == b'\n').unwrap_or(data.len());
    let (content_type, body) = (&data[..end], data.get(end + 1..).unwrap_or_default());
    let read = read(content_type, body);
    match &read {
        Ok(sample) => judge_taken(sample, content_type, body),
        Err(error) => judge_refused(error, body),
    }
    // The same value in our own hand: without blanks, and of two keys with one name only the last.
    if let Ok(value) = serde_json::from_slice::<Value>(body)
        && depth(&value) <= MAX_DEPTH
        && is_json(content_type)
    {
        let again = self::read(content_type, value.to_string().as_bytes());
        assert_eq!(told(&read), told(&again), "{value}");
    }
}

fn read(content_type: &[u8], body: &[u8]) -> Result<Sample, ApiError> {
    let request = Request::builder().header(header::CONTENT_TYPE, content_type);
    // What is no header value does not get through HTTP either.
    let request = request.body(Bytes::from(body.to_vec())).unwrap_or_default();
    let read = Body::from_request(request, &STATES[0]).now_or_never();
    read.expect("the whole body is there").map(|Body(sample)| sample)
}

fn told(read: &Result<Sample, ApiError>) -> Result<&Sample, String> {
    read.as_ref()
        .map_err(|error| serde_json::to_string(error.faults()).expect("faults are JSON"))
}

fn judge_taken(sample: &Sample, content_type: &[u8], body: &[u8]) {
    assert!(is_json(content_type), "{:?}", String::from_utf8_lossy(content_type));
    let value: Value = serde_json::from_slice(body).expect("JSON");
    assert!(depth(&value) <= MAX_DEPTH, "{} levels", depth(&value));
    assert_eq!(value["name"].as_str().map(str::trim), Some(sample.name.as_str()));
    assert_eq!(sample.email.0.is_some(), value.get("email").is_some());
    assert_eq!(sample.age.map(|age| f64::from(age.years())), value["age"].as_f64());
    let external_id = value.get("external_id").map(|id| id.as_str().map(str::to_owned));
    let kept = sample
        .external_id
        .0
        .as_ref()
        .map(|id| id.as_ref().map(|id| id.as_str().to_owned()));
    assert_eq!(kept, external_id, "absent is not null");
}

fn judge_refused(error: &ApiError, body: &[u8]) {
    for fault in error.faults() {
        assert_eq!(fault.location.first(), Some(&Step::Key("body".into())));
        if let Some(Step::Index(at)) = fault.location.get(1) {
            let chars = String::from_utf8_lossy(body).chars().count();
            assert!(*at <= chars, "the fault is at {at} of {chars}");
        }
    }
    let refused = matches!(error, ApiError::Invalid(_));
    assert_eq!(refused, !error.faults().is_empty(), "{error:?}");
    assert!(
        refused || matches!(error, ApiError::Coded(Code::BODY_NOT_TEXT | Code::BODY_TOO_LARGE)),
        "{error:?}"
    );
    for face in [Face::Default, Face::Strict] {
        let answer: Value = serde_json::from_slice(&problem::body(error, face, "1", "http://localhost")).expect("JSON");
        assert_eq!(answer["status"], error.code().status().as_u16());
    }
}

/// RFC 6839 §3.1, by its letters.
fn is_json(content_type: &[u8]) -> bool {
    let text = String::from_utf8_lossy(content_type).to_ascii_lowercase();
    let essence = text.split(';').next().unwrap_or_default().trim();
    essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"))
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(fields) => 1 + fields.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}
