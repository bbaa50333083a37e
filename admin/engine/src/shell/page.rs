//! Rendering a template as a response.

use std::sync::Arc;

use askama::Template;
use axum::{
    http::{
        HeaderName, StatusCode,
        header::{CONTENT_DISPOSITION, CONTENT_TYPE},
    },
    response::{Html, IntoResponse, Response},
};

use crate::error::AdminError;

/// A page, 200.
pub fn show(page: &impl Template) -> Result<Response, AdminError> {
    show_with(StatusCode::OK, page)
}

/// The headers of a file for download.
pub fn attachment(media_type: &str, file: &str) -> [(HeaderName, String); 2] {
    [
        (CONTENT_TYPE, media_type.to_owned()),
        (CONTENT_DISPOSITION, format!("attachment; filename=\"{file}\"")),
    ]
}

/// A page with another status.
pub fn show_with(status: StatusCode, page: &impl Template) -> Result<Response, AdminError> {
    let html = page
        .render()
        .map_err(|error| AdminError::Internal(Arc::new(error.into())))?;
    Ok((status, Html(html)).into_response())
}
