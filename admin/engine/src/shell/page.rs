//! Rendering a template as a response.

use std::sync::Arc;

use askama::Template;
use axum::{
    http::StatusCode,
    response::{Html, IntoResponse, Response},
};

use crate::error::AdminError;

/// A page, 200.
pub fn show(page: &impl Template) -> Result<Response, AdminError> {
    show_with(StatusCode::OK, page)
}

/// A page with another status.
pub fn show_with(status: StatusCode, page: &impl Template) -> Result<Response, AdminError> {
    let html = page
        .render()
        .map_err(|error| AdminError::Internal(Arc::new(error.into())))?;
    Ok((status, Html(html)).into_response())
}
