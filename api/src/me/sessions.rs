//! `GET /me/sessions`, `DELETE /me/sessions` and `DELETE /me/sessions/{id}`.

use axum::{
    Json,
    extract::{Path, State, rejection::PathRejection},
    http::StatusCode,
};
use usher_shared::{
    accounts::sessions::{self, Which},
    audit,
    foundation::db,
};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    auth::{SessionOut, SessionsOut, about, ended},
    state::AppState,
    toolkit::{
        caller::CurrentUser,
        code::Code,
        error::ApiError,
        openapi::{Errors, USER_ERRORS, error_list},
        path_id::uuid_of,
        request::Context,
    },
};

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list, end_others))
        .routes(routes!(end))
}

/// Your sessions
#[utoipa::path(
    get, path = "/me/sessions", operation_id = "listMySessions", tag = "Me",
    responses((status = 200, description = "All signed-in devices", body = SessionsOut), Errors<List>),
    security(("accessToken" = [])),
)]
async fn list(State(state): State<AppState>, current: CurrentUser) -> Result<Json<SessionsOut>, ApiError> {
    let own = Some(current.0.session.id);
    let rows = sessions::list(&state.db, current.0.user.id).await?;
    let data = rows.into_iter().map(|row| SessionOut::of(row, own)).collect();
    Ok(Json(SessionsOut { data }))
}

error_list!(List, [USER_ERRORS], []);

/// Sign out everywhere else
///
/// Ends all sessions but the one that asks.
#[utoipa::path(
    delete, path = "/me/sessions", operation_id = "endMyOtherSessions", tag = "Me",
    responses((status = 204, description = "All other sessions are ended"), Errors<List>),
    security(("accessToken" = [])),
)]
async fn end_others(
    State(state): State<AppState>,
    Context(context): Context,
    current: CurrentUser,
) -> Result<StatusCode, ApiError> {
    let (user, own) = (&current.0.user, current.0.session.id);
    let tx = db::begin(&state.db).await?;
    sessions::end(&tx, user.id, Which::Others(own), "ended by the user").await?;
    audit::record(&tx, &current.actor(&context), about(user, "end_other_sessions")).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// End one of your sessions
#[utoipa::path(
    delete, path = "/me/sessions/{id}", operation_id = "endMySession", tag = "Me",
    params(("id" = Uuid, Path, description = "The session's id", example = "0198b5a0-6f3a-7c52-9d8e-5b1f0e4c2a77")),
    responses((status = 204, description = "The session is ended"), Errors<End>),
    security(("accessToken" = [])),
)]
async fn end(
    State(state): State<AppState>,
    Context(context): Context,
    current: CurrentUser,
    id: Result<Path<String>, PathRejection>,
) -> Result<StatusCode, ApiError> {
    let id = uuid_of(id).ok_or(Code::SESSION_NOT_FOUND)?;
    let tx = db::begin(&state.db).await?;
    if sessions::end(&tx, current.0.user.id, Which::One(id), "ended by the user").await? == 0 {
        return Err(Code::SESSION_NOT_FOUND.into());
    }
    audit::record(&tx, &current.actor(&context), ended(id, &current.0.user.email)).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

error_list!(End, [USER_ERRORS], [SESSION_NOT_FOUND]);
