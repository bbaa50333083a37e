//! Forms: what browsers and OAuth clients send.

use axum::{
    extract::Request,
    http::{HeaderMap, header},
};
use url::form_urlencoded;

use super::{
    body,
    error::ApiError,
    media_type::{FORM, media_type},
};

/// The fields of a form that are looked at; no form of ours has as many.
const MAX_FIELDS: usize = 32;

/// The fields of a form, in the order sent.
pub(crate) async fn read(request: Request) -> Result<Vec<(String, String)>, ApiError> {
    let is_form = is_form(request.headers());
    let bytes = body::read(request).await?;
    // What sends nothing at all is told by the form itself what is missing.
    if !is_form && !bytes.is_empty() {
        return Err(ApiError::UnsupportedMediaType(
            header::HeaderName::from_static("accept-post"),
            FORM,
        ));
    }
    let fields = form_urlencoded::parse(&bytes).into_owned();
    Ok(fields.take(MAX_FIELDS).collect())
}

fn is_form(headers: &HeaderMap) -> bool {
    media_type(headers).is_some_and(|named| named == FORM)
}
