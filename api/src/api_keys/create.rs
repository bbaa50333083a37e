//! `POST /api-keys`.

use axum::{
    extract::State,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use usher_shared::accounts::api_keys::{self, NewKey};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{input::NewKeyIn, shape::NewKeyOut};
use crate::{
    state::AppState,
    toolkit::{
        body::Body,
        caller::FreshSuperuser,
        error::ApiError,
        etag::etag,
        openapi::{BODY_ERRORS, Errors, SUPERUSER_ERRORS, error_list},
        request::Context,
        secret::Secret,
    },
};

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(create))
}

/// Create an API key
///
/// The response has the key itself, this once: only its hash is stored. For superusers; a key can't create keys. Needs
/// a password confirmed within the last five minutes, and a code if the account has a second factor: `POST
/// /auth/reauthenticate`.
#[utoipa::path(
    post, path = "/api-keys", operation_id = "createApiKey", tag = "API keys",
    request_body(content = NewKeyIn, content_type = "application/json"),
    responses(
        (
            status = 201, description = "The key, shown this once", body = NewKeyOut,
            headers(
                ("Location" = String, description = "The key's address"),
                ("ETag" = String, description = "The version of the key"),
            ),
        ),
        Errors<Create>,
    ),
    security(("accessToken" = [])),
)]
async fn create(
    State(state): State<AppState>,
    Context(context): Context,
    FreshSuperuser(superuser): FreshSuperuser,
    Body(body): Body<NewKeyIn>,
) -> Result<Response, ApiError> {
    let new = NewKey::from(body);
    let tx = state.job_store.begin().await?;
    superuser.hold(&tx).await?;
    let (key, token) = api_keys::issue(&tx, new, Some(superuser.id()), &superuser.actor(&context)).await?;
    tx.commit().await?;
    let address = format!("{}/api-keys/{}", state.root, key.id);
    let location: HeaderValue = address.parse().map_err(anyhow::Error::from)?;
    let headers = [(header::LOCATION, location), (header::ETAG, etag(key.version))];
    Ok((StatusCode::CREATED, headers, Secret(NewKeyOut::new(key, &token))).into_response())
}

error_list!(
    Create,
    [BODY_ERRORS, SUPERUSER_ERRORS],
    [REAUTHENTICATION_REQUIRED, ANSWER_NOT_KEPT]
);
