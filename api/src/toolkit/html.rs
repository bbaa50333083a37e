//! HTML pages of the API: a template, and a policy that lets the browser load nothing but what is ours.

use askama::Template;
use axum::{
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{Html, IntoResponse, Response},
};
use usher_serve::quality;

use super::error::ApiError;

const POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; \
    frame-ancestors 'none'";

/// For answers that are a page for browsers and JSON for programs.
pub(crate) const BY_ACCEPT: [(HeaderName, &str); 1] = [(header::VARY, "accept")];

/// A template as an answer.
pub(crate) struct Page<T> {
    template: T,
    status: StatusCode,
    policy: &'static str,
}

impl<T: Template> Page<T> {
    pub(crate) fn new(template: T) -> Self {
        Self {
            template,
            status: StatusCode::OK,
            policy: POLICY,
        }
    }

    pub(crate) fn status(self, status: StatusCode) -> Self {
        Self { status, ..self }
    }

    pub(crate) fn policy(self, policy: &'static str) -> Self {
        Self { policy, ..self }
    }
}

impl<T: Template> IntoResponse for Page<T> {
    fn into_response(self) -> Response {
        let policy = (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(self.policy));
        match self.template.render() {
            Ok(html) => (self.status, BY_ACCEPT, [policy], Html(html)).into_response(),
            Err(error) => ApiError::Internal(error.into()).into_response(),
        }
    }
}

/// Whether a browser asks: it names HTML, which programs do not.
pub(crate) fn wants_html(headers: &HeaderMap) -> bool {
    quality(headers, header::ACCEPT, "text/html").is_some_and(|quality| quality > 0.0)
}
