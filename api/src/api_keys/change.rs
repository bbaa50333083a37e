//! `PATCH` and `DELETE /api-keys/{id}`, and `POST /api-keys/{id}/rotate`.

use axum::{
    extract::{FromRequestParts, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use chrono::TimeDelta;
use usher_shared::{accounts::api_keys, audit::Actor, foundation::entity::api_key, jobs::Tx};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    input::{KeyPatchIn, RotateIn},
    shape::{KeyNow, KeyOut, KeyPath, NewKeyOut, answer},
};
use crate::{
    state::AppState,
    toolkit::{
        body::{Body, OptionalBody},
        caller::FreshSuperuser,
        code::Code,
        error::ApiError,
        etag::{IfMatch, etag, may_change},
        openapi::{BODY_ERRORS, Errors, PATCH_ERRORS, SUPERUSER_ERRORS, error_list},
        path_id::PathId,
        request::Context,
        secret::Secret,
    },
};

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(update, revoke))
        .routes(routes!(rotate))
}

/// Change an API key
///
/// A JSON merge patch, or the whole key as it was read: a different value in a field that this operation doesn't change
/// is rejected. Scopes, addresses, limit and end apply from the key's next request. A revoked key can't be changed
/// (409). Needs a password confirmed within the last five minutes: `POST /auth/reauthenticate`.
#[utoipa::path(
    patch, path = "/api-keys/{id}", operation_id = "updateApiKey", tag = "API keys",
    params(KeyPath, IfMatch),
    request_body(content(
        (KeyPatchIn = "application/merge-patch+json"),
        (KeyPatchIn = "application/json"),
    )),
    responses(KeyNow, Errors<Change>),
    security(("accessToken" = [])),
)]
async fn update(request: ChangeRequest, Body(body): Body<KeyPatchIn>) -> Result<Response, ApiError> {
    let (tx, before) = request.begin().await?;
    let before = living(before)?;
    body.fixed.must_be(|| KeyOut::from(before.clone()))?;
    let key = api_keys::edit(&tx, before, body.into(), &request.actor()).await?;
    tx.commit().await?;
    Ok(answer(key))
}

/// Replace the secret of an API key
///
/// The response has the new secret, this once. The old one works for `grace_seconds` longer, a day by default, so that
/// services can switch without a gap; send 0 if it has leaked. Needs a password confirmed within the last five minutes:
/// `POST /auth/reauthenticate`.
#[utoipa::path(
    post, path = "/api-keys/{id}/rotate", operation_id = "rotateApiKey", tag = "API keys",
    params(KeyPath, IfMatch),
    request_body(content = Option<RotateIn>, content_type = "application/json"),
    responses(
        (
            status = 200, description = "The key with its new secret, shown this once", body = NewKeyOut,
            headers(("ETag" = String, description = "The version of the key")),
        ),
        Errors<Rotate>,
    ),
    security(("accessToken" = [])),
)]
async fn rotate(request: ChangeRequest, OptionalBody(body): OptionalBody<RotateIn>) -> Result<Response, ApiError> {
    let (tx, before) = request.begin().await?;
    let before = living(before)?;
    let grace = TimeDelta::seconds(body.grace_seconds.0.into());
    let (key, token) = api_keys::rotate(&tx, before, grace, &request.actor()).await?;
    tx.commit().await?;
    let tag = [(header::ETAG, etag(key.version))];
    Ok((tag, Secret(NewKeyOut::new(key, &token))).into_response())
}

/// Revoke an API key
///
/// The key is rejected immediately and stays in the list. Needs a password confirmed within the last five minutes:
/// `POST /auth/reauthenticate`.
#[utoipa::path(
    delete, path = "/api-keys/{id}", operation_id = "revokeApiKey", tag = "API keys",
    params(KeyPath, IfMatch),
    responses((status = 204, description = "The key is revoked"), Errors<Revoke>),
    security(("accessToken" = [])),
)]
async fn revoke(request: ChangeRequest) -> Result<StatusCode, ApiError> {
    let (tx, before) = request.begin().await?;
    api_keys::revoke(&tx, before, None, &request.actor()).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Which key is to change, and who asks.
#[derive(FromRequestParts)]
#[from_request(state(AppState))]
struct ChangeRequest {
    #[from_request(via(State))]
    state: AppState,
    context: Context,
    superuser: FreshSuperuser,
    id: PathId,
    headers: HeaderMap,
}

impl ChangeRequest {
    /// The key, held for the change.
    async fn begin(&self) -> Result<(Tx, api_key::Model), ApiError> {
        let tx = self.state.job_store.begin().await?;
        self.superuser.0.hold(&tx).await?;
        let id = self.id.0.ok_or(Code::API_KEY_NOT_FOUND)?;
        let key = api_keys::find_for_change(&tx, id)
            .await?
            .ok_or(Code::API_KEY_NOT_FOUND)?;
        may_change(&self.headers, &etag(key.version))?;
        Ok((tx, key))
    }

    fn actor(&self) -> Actor {
        self.superuser.0.actor(&self.context.0)
    }
}

fn living(key: api_key::Model) -> Result<api_key::Model, ApiError> {
    match key.revoked_at {
        None => Ok(key),
        Some(_) => Err(Code::API_KEY_REVOKED.into()),
    }
}

/// Errors of operations that change an existing key.
const CHANGE_ERRORS: &[Code] = &[
    Code::REAUTHENTICATION_REQUIRED,
    Code::API_KEY_NOT_FOUND,
    Code::PRECONDITION_FAILED,
];

error_list!(
    Change,
    [PATCH_ERRORS, SUPERUSER_ERRORS, CHANGE_ERRORS],
    [API_KEY_REVOKED]
);

error_list!(
    Rotate,
    [BODY_ERRORS, SUPERUSER_ERRORS, CHANGE_ERRORS],
    [API_KEY_REVOKED, ANSWER_NOT_KEPT]
);

error_list!(
    Revoke,
    [SUPERUSER_ERRORS, CHANGE_ERRORS],
    [INVALID_REQUEST],
    PathId::fault
);
