//! `GET /api-keys/{id}` and `GET /api-keys/current`.

use std::sync::Arc;

use axum::{
    extract::{FromRequestParts, State},
    http::request::Parts,
};
use sea_orm::EntityTrait;
use usher_api_macros::operation;
use usher_shared::foundation::entity::api_key;
use utoipa_axum::router::OpenApiRouter;

use super::shape::KeyOut;
use crate::{
    operations,
    state::AppState,
    toolkit::{
        answers::Versioned,
        caller::{Caller, Superuser},
        code::Code,
        error::ApiError,
        openapi::KEY_ERRORS,
        operation::{Describe, OperationDoc},
        path_id::PathId,
    },
};

pub(super) fn router() -> OpenApiRouter<AppState> {
    operations![current, get_api_key]
}

/// Look an API key up
#[operation(
    get,
    "/api-keys/{id}",
    tag = "API keys",
    object = "key",
    errors(Code::API_KEY_NOT_FOUND)
)]
async fn get_api_key(
    State(state): State<AppState>,
    _superuser: Superuser,
    PathId(id): PathId,
) -> Result<Versioned<KeyOut>, ApiError> {
    let id = id.ok_or(Code::API_KEY_NOT_FOUND)?;
    let key = api_key::Entity::find_by_id(id).one(&state.db).await?;
    let key = key.ok_or(Code::API_KEY_NOT_FOUND)?;
    Ok(Versioned::new(key.version, key))
}

/// The key that calls
///
/// For a service to see what its own key may do and until when. Any key may ask; a user's access token is no key (404).
#[operation(get, "/api-keys/current", tag = "API keys", id = "getCurrentApiKey", object = "key")]
async fn current(OwnKey(key): OwnKey) -> Versioned<KeyOut> {
    Versioned::new(key.version, Arc::unwrap_or_clone(key))
}

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

impl Describe for OwnKey {
    fn describe(operation: &mut OperationDoc) {
        operation.security("apiKey", &[]);
        operation.errors(KEY_ERRORS);
        operation.errors(&[Code::API_KEY_NOT_FOUND]);
    }
}
