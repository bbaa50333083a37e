//! A posted form. It can only be read after its CSRF token was checked, so no handler can forget to.

use axum::{
    body::Bytes,
    extract::{FromRequest, Request},
    http::header::CONTENT_TYPE,
};

use crate::{csrf, error::AdminError, state::AppState, visit::Visit};

/// The fields of a form, in the order sent.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fields(Vec<(String, String)>);

impl Fields {
    pub(crate) fn parse(encoded: &[u8]) -> Self {
        Self(url::form_urlencoded::parse(encoded).into_owned().collect())
    }

    /// Fields put together by hand.
    pub(crate) fn of<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> Self {
        Self(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0
            .iter()
            .filter(move |(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }
}

/// The fields of a form that this visitor's own page sent.
pub(crate) struct Posted(pub(crate) Fields);

impl FromRequest<AppState> for Posted {
    type Rejection = AdminError;

    async fn from_request(request: Request, state: &AppState) -> Result<Self, AdminError> {
        let visit = request
            .extensions()
            .get::<Visit>()
            .cloned()
            .ok_or(AdminError::StaleForm)?;
        csrf::check_origin(request.headers(), &state.config.admin_url)?;
        let content_type = request
            .headers()
            .get(CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        if !content_type.starts_with("application/x-www-form-urlencoded") {
            return Err(AdminError::BadRequest(
                "The form was not sent as a browser sends it".to_owned(),
            ));
        }
        let body = Bytes::from_request(request, state)
            .await
            .map_err(|_| AdminError::BadRequest("The form is too large: 1 MB at most".to_owned()))?;
        let fields = Fields::parse(&body);
        csrf::check(
            &state.config.secret_key,
            &visit.csrf_binding,
            fields.get(csrf::FIELD).unwrap_or_default(),
        )?;
        Ok(Self(fields))
    }
}
