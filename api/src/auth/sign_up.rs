//! `POST /auth/sign-up` and `POST /auth/verify-email/resend`: what is done for an address that has an account and for
//! one that has none looks and lasts the same. Only the mailbox's owner learns which it is.

use axum::{
    Json,
    extract::{FromRequestParts, State},
    http::{StatusCode, request::Parts},
};
use usher_shared::{
    accounts::users::{self, NewUser, SignUpError},
    foundation::{
        config::SignUp,
        rules::{Age, Email, Name, Password},
    },
    jobs::VerifyEmail,
};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::accepted::{ACCEPTED, AcceptedOut};
use crate::{
    state::AppState,
    toolkit::{
        body::Body,
        code::Code,
        error::ApiError,
        fields::{Fields, FromFields},
        limits::Limit,
        openapi::{ANY_ERRORS, BODY_ERRORS, Errors, error_list},
        request::{Context, RequestContext},
        schema,
        state::Toolkit,
    },
};

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(sign_up)).routes(routes!(resend))
}

/// A person who signs up.
#[derive(ToSchema)]
#[schema(as = SignUp)]
struct SignUpIn {
    #[schema(schema_with = schema::name)]
    name: Name,
    #[schema(schema_with = schema::email)]
    email: Email,
    /// 12–128 characters of any kind, hard to guess, and not your name or email address.
    #[schema(example = "velvet-Otter-72-canyon", value_type = String, format = Password, min_length = 12, max_length = 128)]
    password: Password,
    /// In whole years.
    #[schema(example = 36, value_type = Option<i16>, minimum = 0, maximum = 150)]
    age: Option<Age>,
}

impl FromFields for SignUpIn {
    fn from_fields(fields: &mut Fields<'_>, state: &Toolkit) -> Option<Self> {
        let name = fields.required("name", Name::parse);
        let email = fields.required("email", |raw| Email::parse(raw, state.config.email_policy));
        let own: Vec<&str> = [name.as_ref().map(Name::as_str), email.as_ref().map(Email::as_str)]
            .into_iter()
            .flatten()
            .collect();
        let password = fields.required_all("password", |raw| Password::parse(raw, &state.config.known_words(&own)));
        let age = fields.optional("age", Age::parse);
        Some(Self {
            name: name?,
            email: email?,
            password: password?,
            age: age?,
        })
    }
}

/// Sign up
///
/// Always 202 for a valid body. A new account gets an email whose link confirms the address; then it can log in. If the
/// address has a confirmed or deleted account, its owner gets an email about it and nothing changes. Signing up again
/// with another password before the address is confirmed might be someone else: neither password works then, and the
/// person who opens the mailed link sets one. Needs open sign-up; ten an hour from one address.
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
            SignUp::Closed => Err(Code::SignUpClosed.into()),
        }
    }
}

error_list!(
    SignUpErrors,
    [BODY_ERRORS, &[Code::SignUpClosed, Code::RateLimited], ANY_ERRORS]
);

/// An address to write to.
#[derive(ToSchema)]
#[schema(as = MailRequest)]
pub(super) struct AddressIn {
    #[schema(schema_with = schema::email)]
    pub(super) email: Email,
}

impl FromFields for AddressIn {
    fn from_fields(fields: &mut Fields<'_>, state: &Toolkit) -> Option<Self> {
        let email = fields.required("email", |raw| Email::parse(raw, state.config.email_policy))?;
        Some(Self { email })
    }
}

/// Ask for the confirming mail again
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
    let (email, actor) = (body.email.as_str(), context.anonymous());
    users::mailed(
        &tx,
        email,
        "ask_verify_email",
        |user_id| VerifyEmail { user_id },
        &actor,
    )
    .await?;
    tx.commit().await?;
    Ok(ACCEPTED)
}

error_list!(pub(super) MailErrors, [BODY_ERRORS, &[Code::RateLimited], ANY_ERRORS]);

/// Counts a request for an email, whether it will be sent or not.
pub(crate) async fn charge_mail(state: &AppState, context: &RequestContext, email: &Email) -> Result<(), ApiError> {
    // The client's address first: a client that asks too often must not use up the mailbox's limit.
    Limit::of_mail_requests(context.address).charge(state, context).await?;
    Limit::of_mails(email.key()).charge(state, context).await
}
