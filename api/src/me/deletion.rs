//! `DELETE /me`.

use axum::{Json, extract::State, http::StatusCode};
use chrono::{DateTime, Utc};
use serde::Serialize;
use usher_shared::accounts::users;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    state::AppState,
    toolkit::{
        caller::FreshUser,
        code::Code,
        error::ApiError,
        moment,
        openapi::{Errors, USER_ERRORS, error_list},
        request::Context,
    },
};

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(delete))
}

/// What will happen.
#[derive(Serialize, ToSchema)]
#[schema(as = Deletion)]
struct DeletionOut {
    /// Until then the account works, and the link in the mail keeps it.
    #[schema(example = "2026-11-29T12:00:00.123456Z")]
    #[serde(serialize_with = "moment::fixed_or_null")]
    delete_at: Option<DateTime<Utc>>,
}

/// Delete your account
///
/// In seven days; you get an email with a link that keeps the account. Asking again changes nothing. Needs a password
/// confirmed within the last five minutes: `POST /auth/reauthenticate`. Staff accounts are deleted in the admin.
#[utoipa::path(
    delete, path = "/me", operation_id = "deleteMe", tag = "Me",
    responses((status = 202, description = "When the account will be deleted", body = DeletionOut), Errors<Delete>),
    security(("accessToken" = [])),
)]
async fn delete(
    State(state): State<AppState>,
    Context(context): Context,
    FreshUser(current): FreshUser,
) -> Result<(StatusCode, Json<DeletionOut>), ApiError> {
    let tx = state.job_store.begin().await?;
    let user = users::find_for_change(&tx, current.0.user.id).await?;
    let user = user.ok_or(Code::INVALID_CREDENTIAL)?;
    if user.is_staff || user.is_superuser {
        return Err(Code::STAFF_PROTECTED.into());
    }
    let user = users::schedule_deletion(&tx, user, &current.actor(&context)).await?;
    tx.commit().await?;
    let delete_at = user.delete_at;
    Ok((StatusCode::ACCEPTED, Json(DeletionOut { delete_at })))
}

error_list!(Delete, [USER_ERRORS], [REAUTHENTICATION_REQUIRED, STAFF_PROTECTED]);
