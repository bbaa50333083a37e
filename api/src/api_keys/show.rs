//! `GET /api-keys/{id}` and `GET /api-keys/current`.

use std::sync::Arc;

use axum::{
    extract::{FromRequestParts, State},
    http::request::Parts,
    response::Response,
};
use sea_orm::EntityTrait;
use usher_shared::foundation::entity::api_key;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::shape::{KeyNow, KeyPath, answer};
use crate::{
    state::AppState,
    toolkit::{
        caller::{Caller, Superuser},
        code::Code,
        error::ApiError,
        openapi::{Errors, KEY_ERRORS, SUPERUSER_ERRORS, error_list},
        path_id::PathId,
    },
};

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(current)).routes(routes!(show))
}

/// Look an API key up
#[utoipa::path(
    get, path = "/api-keys/{id}", operation_id = "getApiKey", tag = "API keys",
    params(KeyPath),
    responses(KeyNow, Errors<Show>),
    security(("accessToken" = [])),
)]
async fn show(State(state): State<AppState>, _superuser: Superuser, PathId(id): PathId) -> Result<Response, ApiError> {
    let id = id.ok_or(Code::API_KEY_NOT_FOUND)?;
    let key = api_key::Entity::find_by_id(id).one(&state.db).await?;
    key.map(answer).ok_or(Code::API_KEY_NOT_FOUND.into())
}

error_list!(
    Show,
    [SUPERUSER_ERRORS],
    [API_KEY_NOT_FOUND, INVALID_REQUEST],
    PathId::fault
);

/// The key that calls
///
/// For a service to see what its own key may do and until when. Any key may ask; a user's access token is no key (404).
#[utoipa::path(
    get, path = "/api-keys/current", operation_id = "getCurrentApiKey", tag = "API keys",
    responses(KeyNow, Errors<Current>),
    security(("apiKey" = [])),
)]
async fn current(OwnKey(key): OwnKey) -> Response {
    answer(Arc::unwrap_or_clone(key))
}

error_list!(Current, [KEY_ERRORS], [API_KEY_NOT_FOUND]);

/// The key of the request, whatever its scopes.
struct OwnKey(Arc<api_key::Model>);

impl FromRequestParts<AppState> for OwnKey {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, ApiError> {
        match Caller::from_request_parts(parts, state).await? {
            Caller::Key(key) => Ok(Self(key)),
            Caller::User(_) => Err(Code::API_KEY_NOT_FOUND.into()),
            Caller::Anonymous => Err(Code::AUTHENTICATION_REQUIRED.into()),
        }
    }
}
