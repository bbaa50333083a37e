//! A form as it was sent: its fields, and the token that makes it count once.

use std::sync::{Arc, atomic::AtomicBool};

use axum::{
    body::Body,
    http::{HeaderName, HeaderValue, StatusCode},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};

/// The field of a password confirmation that says where to go on.
pub const NEXT: &str = "_next";
/// The field that says whether a form (`post`) or a page waits for the confirmation.
pub const METHOD: &str = "_method";
/// The field that carries a form that was sent after its session had ended, sealed.
pub const SAVED_FORM: &str = "_kept";

/// The fields of a form, in the order sent.
#[derive(Clone, Debug, Default)]
pub struct Fields {
    pub(super) pairs: Vec<(String, String)>,
    /// The form's own, where these are of one that was sent.
    pub(super) token: Option<FormToken>,
}

impl Fields {
    pub fn parse(encoded: &[u8]) -> Self {
        Self {
            pairs: url::form_urlencoded::parse(encoded).into_owned().collect(),
            token: None,
        }
    }

    /// Fields put together by hand.
    pub fn of<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> Self {
        Self {
            pairs: pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
            token: None,
        }
    }

    /// These fields instead of the ones that were sent, as the same form.
    pub(crate) fn instead_of(self, sent: &Self) -> Self {
        Self {
            token: sent.token.clone(),
            ..self
        }
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter().find(|(key, _)| *key == name).map(|(_, value)| value)
    }

    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.iter().filter(move |(key, _)| *key == name).map(|(_, value)| value)
    }

    pub fn into_pairs(self) -> Vec<(String, String)> {
        self.pairs
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.pairs.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// Where a form that waited for a password confirmation is sent on to. It is one form on both ways.
    pub(super) fn resumes_at(&self) -> Option<&str> {
        self.get(METHOD).filter(|method| *method == "post")?;
        self.get(NEXT)
    }
}

/// The token of a form that was sent, as drawn by [`super::csrf`].
#[derive(Clone, Debug)]
pub struct FormToken(pub(super) Arc<Sent>);

#[derive(Debug)]
pub(super) struct Sent {
    pub(super) token: String,
    /// What was sent with it. The same form with other contents is not a repetition.
    pub(super) contents: [u8; 32],
    /// The hash of the session cookie that came along. A two-factor code renews the session, so the second of two
    /// clicks arrives with a cookie that no longer belongs to anyone.
    pub(super) cookie: Option<[u8; 32]>,
    pub(super) finished: AtomicBool,
}

/// The answer to a form, kept so that sending the form again gives the same answer.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StoredAnswer {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: String,
    pub(super) contents: [u8; 32],
    pub(super) cookie: Option<[u8; 32]>,
}

impl IntoResponse for &StoredAnswer {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::from(self.body.clone()));
        *response.status_mut() = StatusCode::from_u16(self.status).unwrap_or(StatusCode::OK);
        for (name, value) in &self.headers {
            if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
                response.headers_mut().append(name, value);
            }
        }
        response
    }
}
