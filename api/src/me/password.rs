//! `POST /me/password`.

use axum::{extract::State, http::StatusCode};
use usher_api_macros::FromFields;
use usher_shared::{
    accounts::{mfa, password_hash, users},
    foundation::rate_limit::Guesser,
};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    auth::{acceptable, refused},
    state::AppState,
    toolkit::{
        body::Body,
        caller::CurrentUser,
        code::Code,
        error::ApiError,
        limits,
        openapi::{BODY_ERRORS, Errors, USER_ERRORS, error_list},
        request::Context,
        values::{CurrentPassword, NewPassword},
    },
};

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(change))
}

/// The old password and the new one.
#[derive(FromFields)]
#[schema(as = PasswordChange)]
struct PasswordIn {
    current_password: CurrentPassword,
    #[schema(example = "amber-Walrus-44-piano")]
    new_password: NewPassword,
}

/// Change your password
///
/// All other sessions end and all mailed links stop working. You get an email about it. If the account has a second
/// factor, it needs a code within the last five minutes as well: `POST /auth/reauthenticate`.
#[utoipa::path(
    post, path = "/me/password", operation_id = "changePassword", tag = "Me",
    request_body(content = PasswordIn, content_type = "application/json"),
    responses((status = 204, description = "The new password is set"), Errors<Change>),
    security(("accessToken" = [])),
)]
async fn change(
    State(state): State<AppState>,
    Context(context): Context,
    current: CurrentUser,
    Body(body): Body<PasswordIn>,
) -> Result<StatusCode, ApiError> {
    let (user, session) = (&current.0.user, &current.0.session);
    // Staff who impersonate the user can't change the password, even if they know it, and learn nothing about it.
    if !current.0.is_owner() {
        return Err(Code::PASSWORD_WRONG.into());
    }
    if !current.0.is_fresh(true) && mfa::has_factor(&state.db, user.id).await? {
        return Err(Code::REAUTHENTICATION_REQUIRED.into());
    }
    let new = acceptable(&state, "new_password", &body.new_password, user)?;
    let attempt = limits::try_password(&state, Guesser::Known { user_id: user.id }).await?;
    let matches = password_hash::verify(&body.current_password.0, user.password_hash.as_deref()).await;
    if !matches {
        refused(&state, &context, Some(user), "wrong password").await?;
        return Err(Code::PASSWORD_WRONG.into());
    }
    attempt.succeeded().await;
    let hash = password_hash::hash(&new).await.map_err(anyhow::Error::from)?;
    let tx = state.job_store.begin().await?;
    let held = users::find_for_change(&tx, user.id).await?;
    // A password set at the same time is not overwritten by someone who knew the old one.
    let held = held.filter(|held| held.password_hash == user.password_hash);
    let held = held.ok_or(Code::INVALID_CREDENTIAL)?;
    users::replace_password(&tx, &held, hash, Some(session.id), &current.actor(&context)).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

error_list!(
    Change,
    [BODY_ERRORS, USER_ERRORS],
    [PASSWORD_WRONG, REAUTHENTICATION_REQUIRED]
);
