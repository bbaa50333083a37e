//! `POST /auth/sign-up` and `POST /auth/verify-email/resend`: what is done for an address that has an account and for
//! one that has none looks and lasts the same. Only the mailbox's owner learns which it is.

use axum::{
    Json,
    extract::{FromRequestParts, State},
    http::{StatusCode, request::Parts},
};
use usher_api_macros::FromFields;
use usher_shared::{
    accounts::users::{self, NewUser, SignUpError},
    foundation::{
        config::SignUp,
        rules::{Age, Email, Name, Password},
    },
    jobs::VerifyEmail,
};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::accepted::{ACCEPTED, AcceptedOut};
use crate::{
    state::AppState,
    toolkit::{
        body::Body,
        code::Code,
        error::ApiError,
        limits::Limit,
        openapi::{BODY_ERRORS, Errors, error_list},
        request::{Context, RequestContext},
    },
};

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(sign_up))
}

/// For every account whose address isn't verified, however it was made.
pub(super) fn resend_router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(resend))
}

/// A person who signs up.
#[derive(FromFields)]
#[schema(as = SignUp)]
struct SignUpIn {
    name: Name,
    email: Email,
    password: Password,
    age: Option<Age>,
}

/// Sign up
///
/// Always 202 for a valid body. A new account gets an email whose link confirms the address; then it can sign in. If
/// the address has a confirmed or deleted account, its owner gets an email about it and nothing changes. Signing up
/// again with another password before the address is confirmed might be someone else: neither password works then, and
/// the person who opens the mailed link sets one. Needs open sign-up; ten an hour from one address.
#[utoipa::path(
    post, path = "/auth/sign-up", operation_id = "signUp", tag = "Sign-in",
    request_body(content = SignUpIn, content_type = "application/json"),
    responses((status = 202, description = "A mail is on its way", body = AcceptedOut), Errors<SignUpErrors>),
    security(()),
)]
async fn sign_up(
    State(state): State<AppState>,
    Context(context): Context,
    _: OpenSignUp,
    Body(body): Body<SignUpIn>,
) -> Result<(StatusCode, Json<AcceptedOut>), ApiError> {
    Limit::of_sign_ups(context.address).charge(&state, &context).await?;
    Limit::of_mails(body.email.key()).charge(&state, &context).await?;
    let new = NewUser {
        name: body.name,
        email: body.email,
        age: body.age,
    };
    users::sign_up(&state.job_store, &new, &body.password, &context.anonymous()).await?;
    Ok(ACCEPTED)
}

impl From<SignUpError> for ApiError {
    fn from(error: SignUpError) -> Self {
        match error {
            SignUpError::Hash(error) => Self::Internal(error.into()),
            SignUpError::Db(error) => error.into(),
            SignUpError::Enqueue(error) => error.into(),
        }
    }
}

/// Rejects before the body is read where sign-up is closed.
struct OpenSignUp;

impl FromRequestParts<AppState> for OpenSignUp {
    type Rejection = ApiError;

    async fn from_request_parts(_: &mut Parts, state: &AppState) -> Result<Self, ApiError> {
        match state.config.sign_up {
            SignUp::Open => Ok(Self),
            SignUp::Closed => Err(Code::SIGN_UP_CLOSED.into()),
        }
    }
}

error_list!(SignUpErrors, [BODY_ERRORS], [SIGN_UP_CLOSED, RATE_LIMITED]);

/// An address to write to.
#[derive(FromFields)]
#[schema(as = MailRequest)]
pub(super) struct AddressIn {
    pub(super) email: Email,
}

/// Request another confirmation email
///
/// Always 202 for a valid address. An account with an unconfirmed address gets the email, and an earlier link ends.
/// Three, then one an hour to one mailbox.
#[utoipa::path(
    post, path = "/auth/verify-email/resend", operation_id = "resendVerification", tag = "Sign-in",
    request_body(content = AddressIn, content_type = "application/json"),
    responses((status = 202, description = "A mail is on its way", body = AcceptedOut), Errors<MailErrors>),
    security(()),
)]
async fn resend(
    State(state): State<AppState>,
    Context(context): Context,
    Body(body): Body<AddressIn>,
) -> Result<(StatusCode, Json<AcceptedOut>), ApiError> {
    charge_mail(&state, &context, &body.email).await?;
    let tx = state.job_store.begin().await?;
    let mail = |user_id| VerifyEmail { user_id };
    users::mailed(&tx, body.email.as_str(), "ask_verify_email", mail, &context.anonymous()).await?;
    tx.commit().await?;
    Ok(ACCEPTED)
}

error_list!(pub(super) MailErrors, [BODY_ERRORS], [RATE_LIMITED]);

/// Counts a request for an email, whether it will be sent or not.
pub(crate) async fn charge_mail(state: &AppState, context: &RequestContext, email: &Email) -> Result<(), ApiError> {
    // The client's address first: a client that asks too often must not use up the mailbox's limit.
    Limit::of_mail_requests(context.address).charge(state, context).await?;
    Limit::of_mails(email.key()).charge(state, context).await
}
