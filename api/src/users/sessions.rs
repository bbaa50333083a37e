//! `GET /users/{id}/sessions` and `DELETE /users/{id}/sessions/{sid}`.

use axum::{
    Json,
    extract::{Path, State, rejection::PathRejection},
    http::StatusCode,
};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use usher_shared::{
    accounts::{
        sessions::{self, Which},
        staff::policy::Act,
        users,
    },
    audit,
    foundation::{db, entity::user},
};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    auth::{SessionOut, SessionsOut, ended},
    state::AppState,
    toolkit::{
        caller::{ApiKey, SessionsRead, SessionsWrite},
        code::Code,
        error::ApiError,
        openapi::{Errors, KEY_ERRORS, error_list},
        path_id::{PathId, uuid},
        request::Context,
    },
};

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(end))
}

/// List a user's sessions
#[utoipa::path(
    get, path = "/users/{id}/sessions", operation_id = "listUserSessions", tag = "Users",
    params(("id" = i64, Path, description = "The user's id", example = 1)),
    responses((status = 200, description = "All signed-in devices", body = SessionsOut), Errors<List>),
    security(("apiKey" = ["sessions:read"])),
)]
async fn list(
    State(state): State<AppState>,
    _key: ApiKey<SessionsRead>,
    PathId(id): PathId,
) -> Result<Json<SessionsOut>, ApiError> {
    let id = id.ok_or(Code::USER_NOT_FOUND)?;
    let there = user::Entity::find_by_id(id).filter(user::Column::DeletedAt.is_null());
    there.one(&state.db).await?.ok_or(Code::USER_NOT_FOUND)?;
    let rows = sessions::list(&state.db, id).await?;
    let data = rows.into_iter().map(|row| SessionOut::of(row, None)).collect();
    Ok(Json(SessionsOut { data }))
}

error_list!(List, [KEY_ERRORS], [USER_NOT_FOUND, INVALID_REQUEST], PathId::fault);

/// End a user's session
///
/// Its tokens are rejected immediately.
#[utoipa::path(
    delete, path = "/users/{id}/sessions/{sid}", operation_id = "endUserSession", tag = "Users",
    params(
        ("id" = i64, Path, description = "The user's id", example = 1),
        ("sid" = Uuid, Path, description = "The session's id", example = "0198b5a0-6f3a-7c52-9d8e-5b1f0e4c2a77"),
    ),
    responses((status = 204, description = "The session is ended"), Errors<End>),
    security(("apiKey" = ["sessions:write"])),
)]
async fn end(
    State(state): State<AppState>,
    Context(context): Context,
    key: ApiKey<SessionsWrite>,
    PathId(id): PathId,
    ids: Result<Path<(String, String)>, PathRejection>,
) -> Result<StatusCode, ApiError> {
    let id = id.ok_or(Code::USER_NOT_FOUND)?;
    let session = ids.ok().and_then(|Path((_, session))| uuid(&session));
    let session = session.ok_or(Code::SESSION_NOT_FOUND)?;
    let tx = db::begin(&state.db).await?;
    let user = users::find_for_change(&tx, id).await?.ok_or(Code::USER_NOT_FOUND)?;
    key.may(Act::EndSession, &user)?;
    if sessions::end(&tx, id, Which::One(session), "ended by a service").await? == 0 {
        return Err(Code::SESSION_NOT_FOUND.into());
    }
    audit::record(&tx, &key.actor(&context), ended(session, &user.email)).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

error_list!(
    End,
    [KEY_ERRORS],
    [USER_NOT_FOUND, SESSION_NOT_FOUND, STAFF_PROTECTED, INVALID_REQUEST],
    PathId::fault
);
