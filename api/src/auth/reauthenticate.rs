//! `POST /auth/reauthenticate`: the password again, and a code if there is a second factor. It lasts five minutes and
//! allows what a borrowed device must not do.

use axum::{Json, extract::State};
use serde::Serialize;
use serde_json::json;
use usher_api_macros::FromFields;
use usher_shared::{
    accounts::{mfa, password_hash, sessions, users},
    audit,
    foundation::rate_limit::Guesser,
};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    login::{is_good, refused},
    session::about,
};
use crate::{
    state::AppState,
    toolkit::{
        body::Body,
        caller::CurrentUser,
        code::Code,
        error::ApiError,
        limits,
        openapi::{BODY_ERRORS, Errors, USER_ERRORS, error_list},
        request::Context,
        values::CurrentPassword,
    },
};

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(reauthenticate))
}

/// What only the owner has.
#[derive(FromFields)]
#[schema(as = Reauthentication)]
struct ReauthenticateIn {
    password: CurrentPassword,
    /// Six digits of the authenticator app, where the account has one.
    #[schema(example = json!(null))]
    code: Option<String>,
    /// One of the account's recovery codes, in the place of `code`.
    #[schema(example = json!(null))]
    recovery_code: Option<String>,
}

/// How long it lasts.
#[derive(Serialize, ToSchema)]
#[schema(as = Reauthenticated)]
struct ReauthenticatedOut {
    /// Seconds for which operations that need it are open.
    #[schema(example = 300, minimum = 0)]
    expires_in: i64,
}

/// Confirm the password
///
/// For five minutes, allows operations that need it: changing the email address, second factors, deletion, API keys.
/// Right after a sign-in they are allowed anyway. Staff who impersonate a user can't do this (403). Wrong passwords
/// count as failed sign-ins of the account.
#[utoipa::path(
    post, path = "/auth/reauthenticate", operation_id = "reauthenticate", tag = "Sign-in",
    request_body(content = ReauthenticateIn, content_type = "application/json"),
    responses((status = 200, description = "Open for as long as it says", body = ReauthenticatedOut), Errors<Again>),
    security(("accessToken" = [])),
)]
async fn reauthenticate(
    State(state): State<AppState>,
    Context(context): Context,
    current: CurrentUser,
    Body(body): Body<ReauthenticateIn>,
) -> Result<Json<ReauthenticatedOut>, ApiError> {
    let (user, session) = (&current.0.user, &current.0.session);
    // Staff who impersonate the user can't confirm, and learn nothing about the password.
    if !current.0.is_owner() {
        return Err(Code::PASSWORD_WRONG.into());
    }
    // A session is known to its account: what strangers guess elsewhere does not count here.
    let guesser = Guesser::Known { user_id: user.id };
    let attempt = limits::try_password(&state, guesser).await?;
    if !password_hash::verify(&body.password.0, user.password_hash.as_deref()).await {
        refused(&state, &context, Some(user), "wrong password").await?;
        return Err(Code::PASSWORD_WRONG.into());
    }
    attempt.succeeded().await;
    let tx = state.job_store.begin().await?;
    users::find_for_change(&tx, user.id).await?;
    let owed = mfa::has_factor(&*tx, user.id).await?;
    if owed {
        let attempt = limits::try_code(&state, guesser, user.id).await?;
        if !is_good(&state, &tx, user, body.code.as_deref(), body.recovery_code.as_deref()).await? {
            tx.rollback().await?;
            refused(&state, &context, Some(user), "wrong code").await?;
            return Err(Code::MFA_CODE_INVALID.into());
        }
        attempt.succeeded().await;
    }
    sessions::reauthenticated(&*tx, session.id, owed).await?;
    audit::record(&*tx, &current.actor(&context), about(user, "reauthenticate")).await?;
    tx.commit().await?;
    let expires_in = sessions::FRESH.num_seconds();
    Ok(Json(ReauthenticatedOut { expires_in }))
}

error_list!(Again, [BODY_ERRORS, USER_ERRORS], [PASSWORD_WRONG, MFA_CODE_INVALID]);
