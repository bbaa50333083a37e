//! Keys of other services. Superusers make and change them; a key can only look at itself.
#![expect(unused_qualifications, reason = "utoipa writes them for the types in `params`")]

mod change;
mod input;
mod list;
mod shape;

use std::sync::Arc;

use axum::{
    Json,
    extract::{FromRequestParts, State},
    http::{HeaderValue, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use sea_orm::EntityTrait;
use usher_shared::{
    accounts::api_keys::{self, NewKey},
    foundation::entity::api_key,
};
use utoipa::{IntoParams, IntoResponses};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    caller::{Caller, FreshSuperuser, Superuser},
    code::Code,
    error::ApiError,
    etag::etag,
    fields::FieldError,
    json_body::Body,
    openapi::{ANY_ERRORS, BODY_ERRORS, ErrorList, Errors, KEY_ERRORS, SUPERUSER_ERRORS},
    path_id::PathId,
    request::Context,
    secret::Secret,
    state::AppState,
};
use input::NewKeyIn;
use shape::{KeyOut, NewKeyOut};

pub(crate) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(create))
        .merge(list::router())
        .routes(routes!(current))
        .routes(routes!(show))
        .merge(change::router())
}

/// A key in an address, for the documents.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "only describes what `PathId` reads")]
struct KeyPath {
    /// The key's id.
    #[param(example = 1)]
    id: i64,
}

/// The key as it is now
#[derive(IntoResponses)]
#[response(status = 200, headers(("ETag" = String, description = "The version of the key")))]
#[expect(dead_code, reason = "only describes what `answer` sends")]
struct KeyNow(KeyOut);

fn answer(key: api_key::Model) -> Response {
    ([(header::ETAG, etag(key.version))], Json(KeyOut::from(key))).into_response()
}

/// Make an API key
///
/// The answer holds the key itself, this once: only its hash is stored. For superusers; a key cannot make keys. Needs a
/// password within the last five minutes, and a code where the account has a second factor: `POST /auth/reauthenticate`.
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

struct Create;
impl ErrorList for Create {
    const CODES: &'static [&'static [Code]] = &[
        BODY_ERRORS,
        SUPERUSER_ERRORS,
        &[Code::ReauthenticationRequired, Code::AnswerNotKept],
        ANY_ERRORS,
    ];
}

/// Look an API key up
#[utoipa::path(
    get, path = "/api-keys/{id}", operation_id = "getApiKey", tag = "API keys",
    params(KeyPath),
    responses(KeyNow, Errors<Show>),
    security(("accessToken" = [])),
)]
async fn show(State(state): State<AppState>, _superuser: Superuser, PathId(id): PathId) -> Result<Response, ApiError> {
    let id = id.ok_or(ApiError::ApiKeyNotFound)?;
    let key = api_key::Entity::find_by_id(id).one(&state.db).await?;
    key.map(answer).ok_or(ApiError::ApiKeyNotFound)
}

struct Show;
impl ErrorList for Show {
    const CODES: &'static [&'static [Code]] = &[
        SUPERUSER_ERRORS,
        &[Code::ApiKeyNotFound, Code::InvalidRequest],
        ANY_ERRORS,
    ];

    fn fault() -> FieldError {
        PathId::fault()
    }
}

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

struct Current;
impl ErrorList for Current {
    const CODES: &'static [&'static [Code]] = &[KEY_ERRORS, &[Code::ApiKeyNotFound], ANY_ERRORS];
}

/// The key of the request, whatever its scopes.
struct OwnKey(Arc<api_key::Model>);

impl FromRequestParts<AppState> for OwnKey {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, ApiError> {
        match Caller::from_request_parts(parts, state).await? {
            Caller::Key(key) => Ok(Self(key)),
            Caller::User(_) => Err(ApiError::ApiKeyNotFound),
            Caller::Anonymous => Err(ApiError::AuthenticationRequired),
        }
    }
}
