//! What mailed links do: for front ends as JSON here, for browsers as the pages of [`crate::site`].

use axum::{extract::State, http::StatusCode};
use serde_json::json;
use usher_api_macros::FromFields;
use usher_shared::{
    accounts::{
        mail_tokens::LinkPurpose,
        users::{self, EmailChangeError},
    },
    foundation::entity::user,
};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::password_reset::{Occasion, choose_by_link};
use crate::{
    state::AppState,
    toolkit::{
        body::Body,
        code::Code,
        error::ApiError,
        limits::Limit,
        openapi::{BODY_ERRORS, Errors, error_list},
        request::{Context, RequestContext},
        values::NewPassword,
    },
};

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(verify_email))
        .routes(routes!(confirm_email_change))
        .routes(routes!(undo_email_change))
        .routes(routes!(keep_account))
}

/// What a mailed link is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Errand {
    VerifyEmail,
    ConfirmEmailChange,
    UndoEmailChange,
    KeepAccount,
}

impl Errand {
    pub(crate) const fn purpose(self) -> LinkPurpose {
        match self {
            Self::VerifyEmail => LinkPurpose::VERIFY_EMAIL,
            Self::ConfirmEmailChange => LinkPurpose::EMAIL_CHANGE_CONFIRM,
            Self::UndoEmailChange => LinkPurpose::EMAIL_CHANGE_UNDO,
            Self::KeepAccount => LinkPurpose::CANCEL_DELETION,
        }
    }
}

/// Does what the link is for and uses up its token.
pub(crate) async fn run(
    state: &AppState,
    context: &RequestContext,
    errand: Errand,
    token: &str,
) -> Result<user::Model, ApiError> {
    Limit::of_mailed_tokens(context.address).charge(state, context).await?;
    let (tx, actor) = (state.job_store.begin().await?, context.anonymous());
    let user = match errand {
        Errand::VerifyEmail => users::verify_email(&tx, token, None, &actor).await?,
        Errand::ConfirmEmailChange => users::confirm_email_change(&tx, token, &actor).await?,
        Errand::UndoEmailChange => users::undo_email_change(&tx, token, &actor).await?,
        Errand::KeepAccount => users::keep(&tx, token, &actor).await?,
    };
    tx.commit().await?;
    state.limiter.forget_failures(&user.email_key, user.id).await;
    Ok(user)
}

impl From<EmailChangeError> for ApiError {
    fn from(error: EmailChangeError) -> Self {
        match error {
            EmailChangeError::Token(error) => error.into(),
            EmailChangeError::EmailTaken => Code::EMAIL_EXISTS.into(),
            EmailChangeError::Refused(errors) => errors.into(),
            EmailChangeError::Db(error) => error.into(),
            EmailChangeError::Enqueue(error) => error.into(),
        }
    }
}

/// The token of the email, and a password for an account that has none, or one that someone else chose.
#[derive(FromFields)]
#[schema(as = EmailVerification)]
struct VerifyIn {
    #[schema(example = "umt_0aB1cD2eF3gH4iJ5kL6mN7oP8qR9sT_0aB1cD")]
    token: String,
    /// Replaces the one that was chosen at sign-up.
    #[schema(example = json!(null))]
    password: Option<NewPassword>,
}

/// A token from a mail.
#[derive(FromFields)]
#[schema(as = MailedToken)]
struct TokenIn {
    #[schema(example = "umt_0aB1cD2eF3gH4iJ5kL6mN7oP8qR9sT_0aB1cD")]
    token: String,
}

/// Confirm an email address
///
/// With the token of the mailed link. After that the account can sign in. If people with different passwords signed up
/// with this address, none of the passwords is valid: send the one to use, or the owner gets an email with a link to
/// set one.
#[utoipa::path(
    post, path = "/auth/verify-email", operation_id = "verifyEmail", tag = "Sign-in",
    request_body(content = VerifyIn, content_type = "application/json"),
    responses((status = 204, description = "The address is confirmed"), Errors<Once>),
    security(()),
)]
async fn verify_email(
    State(state): State<AppState>,
    Context(context): Context,
    Body(body): Body<VerifyIn>,
) -> Result<StatusCode, ApiError> {
    match &body.password {
        None => follow(&state, &context, Errand::VerifyEmail, &body.token).await,
        Some(password) => choose_by_link(&state, &context, Occasion::Verify, &body.token, password).await,
    }
}

async fn follow(
    state: &AppState,
    context: &RequestContext,
    errand: Errand,
    token: &str,
) -> Result<StatusCode, ApiError> {
    run(state, context, errand, token).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Move the account to the new email address
///
/// With the token that was mailed there. The old mailbox gets a link that undoes it, for 72 hours. An account that
/// never confirmed the address loses it.
#[utoipa::path(
    post, path = "/auth/email-change/confirm", operation_id = "confirmEmailChange", tag = "Sign-in",
    request_body(content = TokenIn, content_type = "application/json"),
    responses((status = 204, description = "The account has the new address"), Errors<Moved>),
    security(()),
)]
async fn confirm_email_change(
    State(state): State<AppState>,
    Context(context): Context,
    Body(body): Body<TokenIn>,
) -> Result<StatusCode, ApiError> {
    follow(&state, &context, Errand::ConfirmEmailChange, &body.token).await
}

/// Move the account back to the old email address
///
/// With the token that was mailed there. The person who moved the account may know its password: all sessions end, the
/// password stops working, and the old mailbox gets a link to set a new one.
#[utoipa::path(
    post, path = "/auth/email-change/undo", operation_id = "undoEmailChange", tag = "Sign-in",
    request_body(content = TokenIn, content_type = "application/json"),
    responses((status = 204, description = "The account has its old address again"), Errors<Moved>),
    security(()),
)]
async fn undo_email_change(
    State(state): State<AppState>,
    Context(context): Context,
    Body(body): Body<TokenIn>,
) -> Result<StatusCode, ApiError> {
    follow(&state, &context, Errand::UndoEmailChange, &body.token).await
}

/// Keep the account after all
///
/// With the token of the mail that announced the deletion.
#[utoipa::path(
    post, path = "/auth/keep-account", operation_id = "keepAccount", tag = "Sign-in",
    request_body(content = TokenIn, content_type = "application/json"),
    responses((status = 204, description = "The account stays"), Errors<Once>),
    security(()),
)]
async fn keep_account(
    State(state): State<AppState>,
    Context(context): Context,
    Body(body): Body<TokenIn>,
) -> Result<StatusCode, ApiError> {
    follow(&state, &context, Errand::KeepAccount, &body.token).await
}

error_list!(Once, [BODY_ERRORS], [TOKEN_INVALID, TOKEN_EXPIRED, RATE_LIMITED]);

error_list!(
    Moved,
    [BODY_ERRORS],
    [TOKEN_INVALID, TOKEN_EXPIRED, EMAIL_EXISTS, RATE_LIMITED]
);
