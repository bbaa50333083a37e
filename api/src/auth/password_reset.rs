//! `POST /auth/password-reset` and `/confirm`: a forgotten password is replaced by a mailed link.

use axum::{Json, extract::State, http::StatusCode};
use usher_api_macros::FromFields;
use usher_shared::{
    accounts::{mail_tokens::LinkPurpose, password_hash, users},
    foundation::{entity::user, rules::Password},
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
        request::{Context, RequestContext},
        values::NewPassword,
    },
};

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(ask)).routes(routes!(confirm))
}

/// Request a password reset
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
    let mail = |user_id| PasswordReset { user_id };
    users::mailed(
        &tx,
        body.email.as_str(),
        "ask_password_reset",
        mail,
        &context.anonymous(),
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
/// All sessions end and all other mailed links stop working. An account blocked by too many wrong passwords can sign in
/// again. Signing in still asks for the second factor. A rejected password leaves the token usable.
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
    choose_by_link(&state, &context, Occasion::Reset, &body.token, &body.password).await
}

error_list!(Confirm, [BODY_ERRORS], [TOKEN_INVALID, TOKEN_EXPIRED, RATE_LIMITED]);

/// Why a password is set by a mailed link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Occasion {
    /// The account has none yet.
    First,
    /// The one before is forgotten.
    Reset,
    /// The address is confirmed, and the account has no password, or one that someone else may have chosen.
    Verify,
}

impl Occasion {
    pub(crate) const fn purpose(self) -> LinkPurpose {
        match self {
            Self::First => LinkPurpose::SET_PASSWORD,
            Self::Reset => LinkPurpose::PASSWORD_RESET,
            Self::Verify => LinkPurpose::VERIFY_EMAIL,
        }
    }

    /// The page behind the link.
    pub(crate) const fn path(self) -> &'static str {
        match self {
            Self::First => "set-password",
            Self::Reset => "reset-password",
            Self::Verify => "verify-email",
        }
    }
}

/// Sets the password that came with the token of a mailed link, if the token's owner may have it.
pub(super) async fn choose_by_link(
    state: &AppState,
    context: &RequestContext,
    occasion: Occasion,
    token: &str,
    raw: &NewPassword,
) -> Result<StatusCode, ApiError> {
    Limit::of_mailed_tokens(context.address).charge(state, context).await?;
    let (_, user) = users::holder(&state.db, token, occasion.purpose()).await?;
    let password = acceptable(state, "password", raw, &user)?;
    set_by_link(state, context, occasion, token, &password).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Stores the password and uses the token up, both or neither.
pub(crate) async fn set_by_link(
    state: &AppState,
    context: &RequestContext,
    occasion: Occasion,
    token: &str,
    password: &Password,
) -> Result<(), ApiError> {
    let hash = password_hash::hash(password).await.map_err(anyhow::Error::from)?;
    let (tx, actor) = (state.job_store.begin().await?, context.anonymous());
    let user = match occasion {
        Occasion::First => users::set_first_password(&tx, token, hash, &actor).await?,
        Occasion::Reset => users::reset_password(&tx, token, hash, &actor).await?,
        Occasion::Verify => users::verify_email(&tx, token, Some(hash), &actor).await?,
    };
    tx.commit().await?;
    state.limiter.forget_failures(&user.email_key, user.id).await;
    Ok(())
}

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
