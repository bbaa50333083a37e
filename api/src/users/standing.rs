//! `POST /users/{id}/lock`, `/unlock`, `/deactivate` and `/reactivate`: who may sign in.

use axum::{extract::State, http::HeaderMap, response::Response};
use chrono::{DateTime, Utc};
use serde_json::Value;
use usher_api_macros::FromFields;
use usher_shared::{
    accounts::{
        staff::policy::Act,
        users::{self, StatusChange},
    },
    foundation::{
        db,
        rules::{Reason, Violation},
        time::now,
    },
};
use utoipa::openapi::Schema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    change::{CHANGE_ERRORS, changeable},
    shape::{UserNow, UserPath, answer},
};
use crate::{
    state::AppState,
    toolkit::{
        body::OptionalBody,
        caller::{ApiKey, UsersWrite},
        error::ApiError,
        etag::IfMatch,
        fields::{Field, Fields, Violations, string},
        openapi::{BODY_ERRORS, Errors, KEY_ERRORS, error_list},
        path_id::PathId,
        query::moment,
        request::{Context, RequestContext},
        schema,
    },
};

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(lock))
        .routes(routes!(unlock))
        .routes(routes!(deactivate))
        .routes(routes!(reactivate))
}

/// Why, and until when.
#[derive(FromFields)]
#[schema(as = UserLock)]
struct LockIn {
    reason: Option<Reason>,
    /// When the lock ends by itself, in the future; without it the lock stays until it is taken away.
    until: Option<LockEnd>,
}

struct LockEnd(DateTime<Utc>);

impl Field for LockEnd {
    fn read(value: &Value, _: &Fields<'_>) -> Result<Self, Violations> {
        let until = moment(string(value)?)?;
        if until > now() {
            Ok(Self(until))
        } else {
            Err(Violation::value("The lock must end in the future").into())
        }
    }

    fn schema() -> Schema {
        schema::time()
    }
}

/// Why.
#[derive(FromFields)]
#[schema(as = UserStatusChange)]
struct ReasonIn {
    reason: Option<Reason>,
}

/// Lock a user
///
/// Sign-in and all sessions are refused until the lock ends; the sessions continue after that. Locking a locked user
/// replaces reason and end.
#[utoipa::path(
    post, path = "/users/{id}/lock", operation_id = "lockUser", tag = "Users",
    params(UserPath, IfMatch),
    request_body(content = Option<LockIn>, content_type = "application/json"),
    responses(UserNow, Errors<SetStanding>),
    security(("apiKey" = ["users:write"])),
)]
async fn lock(
    State(state): State<AppState>,
    Context(context): Context,
    key: ApiKey<UsersWrite>,
    PathId(id): PathId,
    headers: HeaderMap,
    OptionalBody(body): OptionalBody<LockIn>,
) -> Result<Response, ApiError> {
    let standing = StatusChange::Locked {
        until: body.until.map(|LockEnd(until)| until),
    };
    set(&state, &context, &key, id, &headers, standing, body.reason).await
}

/// Unlock a user
///
/// The sessions from before the lock work again. An active user stays as it is; a deactivated one is 409.
#[utoipa::path(
    post, path = "/users/{id}/unlock", operation_id = "unlockUser", tag = "Users",
    params(UserPath, IfMatch),
    request_body(content = Option<ReasonIn>, content_type = "application/json"),
    responses(UserNow, Errors<SetStanding>),
    security(("apiKey" = ["users:write"])),
)]
async fn unlock(
    State(state): State<AppState>,
    Context(context): Context,
    key: ApiKey<UsersWrite>,
    PathId(id): PathId,
    headers: HeaderMap,
    OptionalBody(body): OptionalBody<ReasonIn>,
) -> Result<Response, ApiError> {
    set(
        &state,
        &context,
        &key,
        id,
        &headers,
        StatusChange::Unlocked,
        body.reason,
    )
    .await
}

/// Deactivate a user
///
/// All sessions end, mailed links stop working, and sign-in is refused until the user is reactivated.
#[utoipa::path(
    post, path = "/users/{id}/deactivate", operation_id = "deactivateUser", tag = "Users",
    params(UserPath, IfMatch),
    request_body(content = Option<ReasonIn>, content_type = "application/json"),
    responses(UserNow, Errors<SetStanding>),
    security(("apiKey" = ["users:write"])),
)]
async fn deactivate(
    State(state): State<AppState>,
    Context(context): Context,
    key: ApiKey<UsersWrite>,
    PathId(id): PathId,
    headers: HeaderMap,
    OptionalBody(body): OptionalBody<ReasonIn>,
) -> Result<Response, ApiError> {
    set(
        &state,
        &context,
        &key,
        id,
        &headers,
        StatusChange::Deactivated,
        body.reason,
    )
    .await
}

/// Reactivate a user
///
/// The user may sign in again; ended sessions stay ended. An active user stays as it is; a locked one is 409.
#[utoipa::path(
    post, path = "/users/{id}/reactivate", operation_id = "reactivateUser", tag = "Users",
    params(UserPath, IfMatch),
    request_body(content = Option<ReasonIn>, content_type = "application/json"),
    responses(UserNow, Errors<SetStanding>),
    security(("apiKey" = ["users:write"])),
)]
async fn reactivate(
    State(state): State<AppState>,
    Context(context): Context,
    key: ApiKey<UsersWrite>,
    PathId(id): PathId,
    headers: HeaderMap,
    OptionalBody(body): OptionalBody<ReasonIn>,
) -> Result<Response, ApiError> {
    set(
        &state,
        &context,
        &key,
        id,
        &headers,
        StatusChange::Reactivated,
        body.reason,
    )
    .await
}

async fn set(
    state: &AppState,
    context: &RequestContext,
    key: &ApiKey<UsersWrite>,
    id: Option<i64>,
    headers: &HeaderMap,
    standing: StatusChange,
    reason: Option<Reason>,
) -> Result<Response, ApiError> {
    let tx = db::begin(&state.db).await?;
    let act = match standing {
        StatusChange::Locked { .. } => Act::LockUser,
        StatusChange::Unlocked => Act::UnlockUser,
        StatusChange::Deactivated => Act::DeactivateUser,
        StatusChange::Reactivated => Act::ReactivateUser,
    };
    let before = changeable(&tx, id, headers, key, act).await?;
    let user = users::change_status(&tx, before, standing, reason, &key.actor(context)).await?;
    tx.commit().await?;
    answer(user, key)
}

error_list!(SetStanding, [BODY_ERRORS, KEY_ERRORS, CHANGE_ERRORS], [StatusConflict]);
