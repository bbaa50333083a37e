//! Answers of operations on one row: its version as an `ETag`, and where a new one is.

use std::fmt::Display;

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    etag::etag,
    operation::{Describe, OperationDoc},
    state::Toolkit,
};

/// 200 with the row, and its version as the `ETag`.
pub struct Versioned<T> {
    version: i32,
    row: T,
    /// Where the answer depends on `If-None-Match`: whether the client has this version.
    is_known: Option<bool>,
}

impl<T> Versioned<T> {
    /// The row as clients see it, and its version.
    pub fn new(version: i32, row: impl Into<T>) -> Self {
        Self {
            version,
            row: row.into(),
            is_known: None,
        }
    }

    pub(super) fn if_new(self, is_known: bool) -> Self {
        let is_known = Some(is_known);
        Self { is_known, ..self }
    }
}

impl<T: Serialize> IntoResponse for Versioned<T> {
    fn into_response(self) -> Response {
        let tag = [(header::ETAG, etag(self.version))];
        // What a caller sees can depend on the credential, so a cache may keep it for that one alone.
        let caching = [
            (header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache")),
            (header::VARY, header::AUTHORIZATION.into()),
        ];
        match self.is_known {
            None => (tag, Json(self.row)).into_response(),
            Some(false) => (tag, caching, Json(self.row)).into_response(),
            Some(true) => (StatusCode::NOT_MODIFIED, tag, caching).into_response(),
        }
    }
}

impl<T: ToSchema> Describe for Versioned<T> {
    fn describe(operation: &mut OperationDoc) {
        let object = operation.object();
        operation.answer::<T>(StatusCode::OK, &format!("The {object} as it is now"));
        operation.header(StatusCode::OK, "ETag", &format!("The version of the {object}"));
    }
}

/// 201 with a new row, and where it is.
pub struct Created<T> {
    /// None where the row has no address, and where the installation's is none that a header can hold.
    location: Option<HeaderValue>,
    version: Option<i32>,
    row: T,
}

impl<T> Created<T> {
    /// The new row is at this path with its id behind, such as `/tickets/7`.
    pub fn new(toolkit: &Toolkit, path: &str, id: impl Display, row: impl Into<T>) -> Self {
        Self {
            location: format!("{}{path}/{id}", toolkit.root).parse().ok(),
            version: None,
            row: row.into(),
        }
    }

    /// The new row has no address of its own, such as a line of an order: there is no `Location`.
    pub fn without_address(row: impl Into<T>) -> Self {
        Self {
            location: None,
            version: None,
            row: row.into(),
        }
    }

    /// Sends the row's version as the `ETag`.
    #[must_use]
    pub fn version(self, version: i32) -> Self {
        let version = Some(version);
        Self { version, ..self }
    }
}

impl<T: Serialize> IntoResponse for Created<T> {
    fn into_response(self) -> Response {
        let mut response = (StatusCode::CREATED, Json(self.row)).into_response();
        if let Some(location) = self.location {
            response.headers_mut().insert(header::LOCATION, location);
        }
        if let Some(version) = self.version {
            response.headers_mut().insert(header::ETAG, etag(version));
        }
        response
    }
}

impl<T: ToSchema> Describe for Created<T> {
    fn describe(operation: &mut OperationDoc) {
        let object = operation.object();
        operation.answer::<T>(StatusCode::CREATED, &format!("The {object}"));
        operation.header(StatusCode::CREATED, "Location", &format!("The {object}'s address"));
        operation.header(StatusCode::CREATED, "ETag", &format!("The version of the {object}"));
    }
}

/// 202: a job will do it.
pub struct Accepted;

impl IntoResponse for Accepted {
    fn into_response(self) -> Response {
        StatusCode::ACCEPTED.into_response()
    }
}

impl Describe for Accepted {
    fn describe(operation: &mut OperationDoc) {
        operation.empty_answer(StatusCode::ACCEPTED, "A job will do it");
    }
}

/// 204: done, and nothing to say.
pub struct NoContent;

impl IntoResponse for NoContent {
    fn into_response(self) -> Response {
        StatusCode::NO_CONTENT.into_response()
    }
}

impl Describe for NoContent {
    fn describe(operation: &mut OperationDoc) {
        operation.empty_answer(StatusCode::NO_CONTENT, "Done");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_without_an_address_is_created_without_a_location() {
        let created: Created<i64> = Created::without_address(7_i64).version(3);
        let response = created.into_response();
        assert_eq!(response.status(), StatusCode::CREATED);
        assert!(!response.headers().contains_key(header::LOCATION));
        assert_eq!(response.headers()[header::ETAG], "\"3\"");
    }
}
