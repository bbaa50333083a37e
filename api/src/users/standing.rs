//! `POST /users/{id}/lock`, `/unlock`, `/deactivate` and `/reactivate`: who may sign in.

use axum::{
    extract::{FromRequestParts, State},
    http::HeaderMap,
    response::Response,
};
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
        request::Context,
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

/// The reason.
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
async fn lock(request: ChangeRequest, OptionalBody(body): OptionalBody<LockIn>) -> Result<Response, ApiError> {
    let until = body.until.map(|LockEnd(until)| until);
    request.set(StatusChange::Locked { until }, body.reason).await
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
async fn unlock(request: ChangeRequest, OptionalBody(body): OptionalBody<ReasonIn>) -> Result<Response, ApiError> {
    request.set(StatusChange::Unlocked, body.reason).await
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
async fn deactivate(request: ChangeRequest, OptionalBody(body): OptionalBody<ReasonIn>) -> Result<Response, ApiError> {
    request.set(StatusChange::Deactivated, body.reason).await
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
async fn reactivate(request: ChangeRequest, OptionalBody(body): OptionalBody<ReasonIn>) -> Result<Response, ApiError> {
    request.set(StatusChange::Reactivated, body.reason).await
}

/// Whose standing is to change, and who asks.
#[derive(FromRequestParts)]
#[from_request(state(AppState))]
struct ChangeRequest {
    #[from_request(via(State))]
    state: AppState,
    context: Context,
    key: ApiKey<UsersWrite>,
    id: PathId,
    headers: HeaderMap,
}

impl ChangeRequest {
    async fn set(self, standing: StatusChange, reason: Option<Reason>) -> Result<Response, ApiError> {
        let tx = db::begin(&self.state.db).await?;
        let act = match standing {
            StatusChange::Locked { .. } => Act::LockUser,
            StatusChange::Unlocked => Act::UnlockUser,
            StatusChange::Deactivated => Act::DeactivateUser,
            StatusChange::Reactivated => Act::ReactivateUser,
        };
        let before = changeable(&tx, self.id.0, &self.headers, &self.key, act).await?;
        let actor = self.key.actor(&self.context.0);
        let user = users::change_status(&tx, before, standing, reason, &actor).await?;
        tx.commit().await?;
        answer(user, &self.key)
    }
}

error_list!(SetStanding, [BODY_ERRORS, KEY_ERRORS, CHANGE_ERRORS], [STATUS_CONFLICT]);
