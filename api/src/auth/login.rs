//! `POST /auth/login` and `POST /auth/mfa`. Whatever is wrong with a log-in reads and takes the same.

use axum::{extract::State, http::HeaderMap};
use serde::Serialize;
use usher_api_macros::FromFields;
use usher_shared::{
    accounts::{mfa, password_hash, sessions::Device, users},
    audit,
    foundation::{
        entity::user,
        rules::Email,
        time::now,
        token::{Token, TokenKind},
    },
    jobs::{MfaChange, MfaChanged, Tx, enqueue},
};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::tokens::{TokensOut, device, sign_in};
use crate::{
    state::AppState,
    toolkit::{
        body::Body,
        code::Code,
        error::ApiError,
        fields::{self, Fields},
        limits::{self, Limit},
        openapi::{BODY_ERRORS, Errors, error_list},
        request::{Context, RequestContext},
        secret::Secret,
        values::CurrentPassword,
    },
};

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(login)).routes(routes!(answer))
}

/// Email and password.
#[derive(FromFields)]
#[schema(as = Login)]
struct LoginIn {
    /// In any letter case.
    #[schema(example = "ada@example.com")]
    email: String,
    password: CurrentPassword,
}

/// The password was right; a code is needed too.
#[derive(Serialize, ToSchema)]
#[schema(as = MfaRequired)]
pub(crate) struct MfaRequiredOut {
    #[schema(example = true)]
    mfa_required: bool,
    /// Send it with a code to `POST /auth/mfa`. It is valid for five minutes and five codes.
    #[schema(example = "umf_0aB1cD2eF3gH4iJ5kL6mN7oP8qR9sT_0aB1cD")]
    pub(super) mfa_token: String,
    /// Seconds until it runs out.
    #[schema(example = 300, minimum = 0)]
    expires_in: i64,
    /// What can be sent: `totp` as `code`, `recovery_code` as `recovery_code`.
    #[schema(example = json!(["totp", "recovery_code"]))]
    methods: [&'static str; 2],
}

/// Tokens, or the request for a code.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
#[schema(as = LoginAnswer)]
pub(crate) enum LoginOut {
    Tokens(Box<TokensOut>),
    MfaRequired(MfaRequiredOut),
}

/// Sign in
///
/// With a second factor the response has `mfa_required` and a token for `POST /auth/mfa` instead of the session's
/// tokens. An unknown account and a wrong password get the same response in the same time. Five a minute from one
/// address, twenty failures an hour for one account.
#[utoipa::path(
    post, path = "/auth/login", operation_id = "login", tag = "Sign-in",
    request_body(content = LoginIn, content_type = "application/json"),
    responses(
        (status = 200, description = "The session's tokens, or the request for a code", body = LoginOut),
        Errors<Login>,
    ),
    security(()),
)]
async fn login(
    State(state): State<AppState>,
    Context(context): Context,
    headers: HeaderMap,
    Body(body): Body<LoginIn>,
) -> Result<Secret<LoginOut>, ApiError> {
    let device = device(&context, &headers);
    log_in(&state, &context, device, &body.email, &body.password.0)
        .await
        .map(Secret)
}

error_list!(
    Login,
    [BODY_ERRORS],
    [LOGIN_FAILED, EMAIL_NOT_VERIFIED, ANSWER_NOT_KEPT, RATE_LIMITED]
);

/// Checks email and password, for JSON and for OAuth.
pub(super) async fn log_in(
    state: &AppState,
    context: &RequestContext,
    device: Device,
    email: &str,
    raw_password: &str,
) -> Result<LoginOut, ApiError> {
    Limit::of_log_ins(context.address).charge(state, context).await?;
    // No address has a NUL, and PostgreSQL would not take it.
    let key = Email::key_of(&email.replace('\0', ""));
    let user = users::find_by_email_key(&state.db, &key).await?;
    let guesser = limits::guesser(&state.db, context, &key, user.as_ref().map(|user| user.id)).await?;
    let attempt = limits::try_password(state, guesser).await?;
    let stored = user.as_ref().and_then(|user| user.password_hash.as_deref());
    // Always verified, so that an unknown account takes as long as a known one.
    let matches = password_hash::verify(raw_password, stored).await;
    let Some(user) = user.as_ref().filter(|user| matches && user.may_sign_in(now())) else {
        let reason = if matches {
            "an account that can't sign in"
        } else {
            "wrong password"
        };
        refused(state, context, user.as_ref(), reason).await?;
        return Err(Code::LOGIN_FAILED.into());
    };
    attempt.succeeded().await;
    if user.email_verified_at.is_none() {
        return Err(Code::EMAIL_NOT_VERIFIED.into());
    }
    let better = password_hash::rehash(raw_password, user.password_hash.as_deref().unwrap_or_default()).await;
    let tx = state.job_store.begin().await?;
    // Locked until the session exists: a password set at the same time must end it, too.
    let held = users::find_for_change(&tx, user.id).await?;
    if !held.is_some_and(|now_| now_.password_hash == user.password_hash && now_.may_sign_in(now())) {
        return Err(Code::LOGIN_FAILED.into());
    }
    if let Some(hash) = better {
        users::keep_rehashed(&*tx, user, hash).await?;
    }
    let answer = if mfa::has_factor(&*tx, user.id).await? {
        let token = mfa::challenge(&*tx, user.id).await?;
        LoginOut::MfaRequired(MfaRequiredOut {
            mfa_required: true,
            mfa_token: token.as_str().to_owned(),
            expires_in: mfa::CHALLENGE_LIFETIME.num_seconds(),
            methods: ["totp", "recovery_code"],
        })
    } else {
        LoginOut::Tokens(Box::new(sign_in(&tx, user, device, false, context).await?))
    };
    tx.commit().await?;
    Ok(answer)
}

/// Records a failed attempt, without what was typed: people type passwords into the wrong field.
pub(crate) async fn refused(
    state: &AppState,
    context: &RequestContext,
    user: Option<&user::Model>,
    reason: &str,
) -> Result<(), ApiError> {
    state.metrics.log_in_failed();
    let entry = audit::Entry {
        action: "login_failed",
        object_type: "user",
        object_id: user.map(|user| user.id.to_string()),
        object_label: user.map(|user| user.email.clone()),
        reason: Some(reason.to_owned()),
        ..audit::Entry::default()
    };
    Ok(audit::record(&state.db, &context.anonymous(), entry).await?)
}

/// The token of the sign-in, and a code.
#[derive(ToSchema)]
#[schema(as = MfaAnswer)]
struct MfaIn {
    /// The `mfa_token` from `POST /auth/login`.
    #[schema(example = "umf_0aB1cD2eF3gH4iJ5kL6mN7oP8qR9sT_0aB1cD")]
    mfa_token: String,
    /// Six digits of the authenticator app.
    #[schema(example = "123456")]
    code: Option<String>,
    /// One of the account's recovery codes, in the place of `code`.
    #[schema(example = json!(null))]
    recovery_code: Option<String>,
}

/// Without a recovery code the app's code is required.
impl fields::FromFields for MfaIn {
    fn from_fields(fields: &mut Fields<'_>) -> Option<Self> {
        let mfa_token = fields.read("mfa_token");
        let recovery_code: Option<Option<String>> = fields.read("recovery_code");
        let code = match recovery_code {
            Some(None) => fields.read("code").map(Some),
            _ => Some(None),
        };
        Some(Self {
            mfa_token: mfa_token?,
            code: code?,
            recovery_code: recovery_code?,
        })
    }
}

/// Complete a sign-in with the second factor
///
/// Takes a code of the authenticator app or a recovery code. Each works once. After five codes the token expires: sign
/// in again.
#[utoipa::path(
    post, path = "/auth/mfa", operation_id = "completeLogin", tag = "Sign-in",
    request_body(content = MfaIn, content_type = "application/json"),
    responses((status = 200, description = "The session's tokens", body = TokensOut), Errors<Answer>),
    security(()),
)]
async fn answer(
    State(state): State<AppState>,
    Context(context): Context,
    headers: HeaderMap,
    Body(body): Body<MfaIn>,
) -> Result<Secret<TokensOut>, ApiError> {
    let token = Token::parse(TokenKind::MfaChallenge, &body.mfa_token).ok_or(Code::TOKEN_INVALID)?;
    let challenge = mfa::try_challenge(&state.db, &token).await?;
    let challenge = challenge.ok_or(Code::TOKEN_INVALID)?;
    let tx = state.job_store.begin().await?;
    let user = users::find_for_change(&tx, challenge.user_id).await?;
    let user = user.filter(|user| user.may_sign_in(now())).ok_or(Code::TOKEN_INVALID)?;
    let guesser = limits::guesser(&*tx, &context, &user.email_key, Some(user.id)).await?;
    let attempt = limits::try_code(&state, guesser, user.id).await?;
    if !is_good(&state, &tx, &user, body.code.as_deref(), body.recovery_code.as_deref()).await? {
        tx.rollback().await?;
        refused(&state, &context, Some(&user), "wrong code").await?;
        return Err(Code::MFA_CODE_INVALID.into());
    }
    attempt.succeeded().await;
    if !mfa::pass(&*tx, challenge.id).await? {
        return Err(Code::TOKEN_INVALID.into());
    }
    let tokens = sign_in(&tx, &user, device(&context, &headers), true, &context).await?;
    tx.commit().await?;
    Ok(Secret(tokens))
}

error_list!(
    Answer,
    [BODY_ERRORS],
    [TOKEN_INVALID, MFA_CODE_INVALID, ANSWER_NOT_KEPT, RATE_LIMITED]
);

/// Uses up a valid code; a recovery code also sends an email.
pub(super) async fn is_good(
    state: &AppState,
    tx: &Tx,
    user: &user::Model,
    code: Option<&str>,
    recovery_code: Option<&str>,
) -> Result<bool, ApiError> {
    let key = &state.config.secret_key;
    let Some(paper) = recovery_code else {
        let code = code.unwrap_or_default();
        return Ok(mfa::verify(&**tx, key, user.id, code).await?);
    };
    let good = mfa::use_recovery_code(&**tx, key, user.id, paper).await?;
    if good {
        let (user_id, change) = (user.id, MfaChange::RecoveryCodeUsed);
        enqueue(tx, MfaChanged { user_id, change }).await?;
    }
    Ok(good)
}
