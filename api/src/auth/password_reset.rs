//! `POST /auth/password-reset` and `/confirm`: a forgotten password is replaced by a mailed link.

use axum::{Json, extract::State, http::StatusCode};
use usher_api_macros::FromFields;
use usher_shared::{
    accounts::{password_hash, users},
    foundation::{
        entity::{mail_token::MailTokenPurpose, user},
        rules::Password,
    },
    jobs::PasswordReset,
};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    accepted::{ACCEPTED, AcceptedOut},
    sign_up::{AddressIn, MailErrors, charge_mail},
};
use crate::{
    state::AppState,
    toolkit::{
        body::Body,
        error::ApiError,
        fields::in_body,
        limits::Limit,
        openapi::{BODY_ERRORS, Errors, error_list},
        request::Context,
        values::NewPassword,
    },
};

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(ask)).routes(routes!(confirm))
}

/// Ask for a new password
///
/// Always 202 for a valid address. If it has an account, we email it a link that works once and for half an hour; an
/// earlier link ends. Three, then one an hour to one mailbox.
#[utoipa::path(
    post, path = "/auth/password-reset", operation_id = "askPasswordReset", tag = "Sign-in",
    request_body(content = AddressIn, content_type = "application/json"),
    responses((status = 202, description = "A mail is on its way", body = AcceptedOut), Errors<MailErrors>),
    security(()),
)]
async fn ask(
    State(state): State<AppState>,
    Context(context): Context,
    Body(body): Body<AddressIn>,
) -> Result<(StatusCode, Json<AcceptedOut>), ApiError> {
    charge_mail(&state, &context, &body.email).await?;
    let tx = state.job_store.begin().await?;
    let (email, actor) = (body.email.as_str(), context.anonymous());
    users::mailed(
        &tx,
        email,
        "ask_password_reset",
        |user_id| PasswordReset { user_id },
        &actor,
    )
    .await?;
    tx.commit().await?;
    Ok(ACCEPTED)
}

/// The mailed token, and the new password.
#[derive(FromFields)]
#[schema(as = PasswordReset)]
struct ConfirmIn {
    #[schema(example = "umt_0aB1cD2eF3gH4iJ5kL6mN7oP8qR9sT_0aB1cD")]
    token: String,
    password: NewPassword,
}

/// Set a new password
///
/// All sessions end and all other mailed links stop working. An account blocked by too many wrong passwords can log in
/// again. Logging in still asks for the second factor. A rejected password leaves the token usable.
#[utoipa::path(
    post, path = "/auth/password-reset/confirm", operation_id = "resetPassword", tag = "Sign-in",
    request_body(content = ConfirmIn, content_type = "application/json"),
    responses((status = 204, description = "The new password is set"), Errors<Confirm>),
    security(()),
)]
async fn confirm(
    State(state): State<AppState>,
    Context(context): Context,
    Body(body): Body<ConfirmIn>,
) -> Result<StatusCode, ApiError> {
    Limit::of_mailed_tokens(context.address)
        .charge(&state, &context)
        .await?;
    let (_, user) = users::holder(&state.db, &body.token, MailTokenPurpose::PasswordReset).await?;
    let password = acceptable(&state, "password", &body.password, &user)?;
    let hash = password_hash::hash(&password).await.map_err(anyhow::Error::from)?;
    let tx = state.job_store.begin().await?;
    let user = users::reset_password(&tx, &body.token, hash, &context.anonymous()).await?;
    tx.commit().await?;
    state.limiter.forget_failures(&user.email_key, user.id).await;
    Ok(StatusCode::NO_CONTENT)
}

error_list!(Confirm, [BODY_ERRORS], [TokenInvalid, TokenExpired, RateLimited]);

/// The password in this field, if this user may have it.
pub(crate) fn acceptable(
    state: &AppState,
    field: &'static str,
    raw: &NewPassword,
    user: &user::Model,
) -> Result<Password, ApiError> {
    let own = state.config.known_words(&[&user.name, &user.email]);
    Password::parse(&raw.0, &own).map_err(|violations| {
        let faults = violations.into_iter().map(|violation| in_body(field, violation));
        ApiError::Invalid(faults.collect())
    })
}
