//! `GET /users/{id}`.

use std::sync::Arc;

use axum::{extract::State, http::HeaderMap, response::Response};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::shape::{UserNow, UserPath, answer_if_new};
use crate::{
    state::AppState,
    toolkit::{
        caller::{ApiKey, UsersSee},
        code::Code,
        error::ApiError,
        etag::IfNoneMatch,
        openapi::{Errors, KEY_ERRORS, error_list},
        path_id::PathId,
    },
};

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(show))
}

/// Look a user up
///
/// With `users:read` the whole user; with `users:write` alone the four basic fields, so that a service can read
/// back what it created.
#[utoipa::path(
    get, path = "/users/{id}", operation_id = "getUser", tag = "Users",
    params(UserPath, IfNoneMatch),
    responses(
        UserNow,
        (status = 304, description = "Not changed since the version in `If-None-Match`"),
        Errors<Show>,
    ),
    security(("apiKey" = ["users:read"])),
)]
async fn show(
    State(state): State<AppState>,
    key: ApiKey<UsersSee>,
    PathId(id): PathId,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let id = id.ok_or(Code::USER_NOT_FOUND)?;
    let user = state.users.find(id).await?.ok_or(Code::USER_NOT_FOUND)?;
    answer_if_new(&headers, Arc::unwrap_or_clone(user), &key)
}

error_list!(Show, [KEY_ERRORS], [USER_NOT_FOUND, INVALID_REQUEST], PathId::fault);
