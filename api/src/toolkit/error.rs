//! What the API answers when it does not answer as asked. An [`ApiError`] says what a client can do
//! about it; the [`crate::toolkit::guard`] gives it its body, because only there the request is known.

use std::sync::Arc;

use axum::{
    http::{HeaderName, HeaderValue, header},
    response::{IntoResponse, Response},
};
use sea_orm::DbErr;
use usher_shared::{
    accounts::{api_keys::Scope, mail_tokens::RedeemError, mfa::MfaError},
    foundation::db::{Cut, is_outage},
    jobs::EnqueueError,
};

use super::{code::Code, fields::FieldError, media_type::ACCEPT_PATCH};

/// Every way in which an operation can fail.
#[derive(Debug)]
pub enum ApiError {
    /// 422, with every fault of the request, in order.
    Invalid(Vec<FieldError>),
    /// 400: the body is not UTF-8.
    BodyNotText,
    BodyTooLarge,
    /// 401: no credential.
    AuthenticationRequired,
    /// 401: a credential that opens nothing.
    InvalidCredential,
    /// 403: the key has none of these scopes.
    InsufficientScope(&'static [Scope]),
    NotFound,
    MethodNotAllowed,
    UserNotFound,
    EmailExists,
    /// 412: `If-Match` names another version.
    PreconditionFailed,
    /// 403: staff are changed in the admin alone.
    StaffProtected,
    /// 409: such as unlocking somebody who was deactivated.
    StatusConflict,
    /// 429, with the seconds to wait.
    RateLimited {
        retry_after: u64,
    },
    /// 401: unknown account, wrong password, or one that may not sign in.
    LoginFailed,
    /// 403: the password is right, the address unproved.
    EmailNotVerified,
    /// 401: a wrong or used code.
    MfaCodeInvalid,
    MfaFactorNotFound,
    /// 409: recovery codes without a factor.
    MfaNotEnabled,
    /// 409: five factors are enough.
    TooManyFactors,
    /// 403: not the password of the signed-in user.
    PasswordWrong,
    /// 401: the owner has not shown the password lately.
    ReauthenticationRequired,
    SessionNotFound,
    SignUpClosed,
    /// 410: a token of a mail or of a sign-in that came too late.
    TokenExpired,
    /// 400: a token of a mail or of a sign-in that opens nothing.
    TokenInvalid,
    /// 403: an API key where a person is meant.
    UserTokenRequired,
    ApiKeyNotFound,
    /// 409: revoked keys are not changed.
    ApiKeyRevoked,
    /// 403: for superusers, signed in as themselves.
    SuperuserRequired,
    /// 409: the first request with this `Idempotency-Key` runs.
    IdempotencyInProgress,
    /// 422: the `Idempotency-Key` came with another request.
    IdempotencyKeyReused([FieldError; 1]),
    /// 409: the first answer held a secret.
    AnswerNotKept,
    UriTooLong,
    HeadersTooLarge,
    /// 415: a kind of body that the operation does not understand, and the header that says which it does.
    UnsupportedMediaType(HeaderName, &'static str),
    /// 415: a body that is compressed.
    UnsupportedContentCoding,
    /// 503: stopped at the time limit, before anything was changed.
    TimedOut,
    /// 503: a part that is needed does not answer.
    Unavailable(anyhow::Error),
    /// 500. The cause is logged, never shown.
    Internal(anyhow::Error),
}

impl ApiError {
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            Self::Invalid(_) => Code::InvalidRequest,
            Self::BodyNotText => Code::BodyNotText,
            Self::BodyTooLarge => Code::BodyTooLarge,
            Self::AuthenticationRequired => Code::AuthenticationRequired,
            Self::InvalidCredential => Code::InvalidCredential,
            Self::InsufficientScope(_) => Code::InsufficientScope,
            Self::NotFound => Code::NotFound,
            Self::MethodNotAllowed => Code::MethodNotAllowed,
            Self::UserNotFound => Code::UserNotFound,
            Self::EmailExists => Code::EmailExists,
            Self::PreconditionFailed => Code::PreconditionFailed,
            Self::StaffProtected => Code::StaffProtected,
            Self::StatusConflict => Code::StatusConflict,
            Self::RateLimited { .. } => Code::RateLimited,
            Self::EmailNotVerified => Code::EmailNotVerified,
            Self::LoginFailed => Code::LoginFailed,
            Self::MfaCodeInvalid => Code::MfaCodeInvalid,
            Self::MfaFactorNotFound => Code::MfaFactorNotFound,
            Self::MfaNotEnabled => Code::MfaNotEnabled,
            Self::PasswordWrong => Code::PasswordWrong,
            Self::ReauthenticationRequired => Code::ReauthenticationRequired,
            Self::SessionNotFound => Code::SessionNotFound,
            Self::SignUpClosed => Code::SignUpClosed,
            Self::TokenExpired => Code::TokenExpired,
            Self::TokenInvalid => Code::TokenInvalid,
            Self::TooManyFactors => Code::TooManyFactors,
            Self::UserTokenRequired => Code::UserTokenRequired,
            Self::ApiKeyNotFound => Code::ApiKeyNotFound,
            Self::ApiKeyRevoked => Code::ApiKeyRevoked,
            Self::SuperuserRequired => Code::SuperuserRequired,
            Self::IdempotencyInProgress => Code::IdempotencyInProgress,
            Self::AnswerNotKept => Code::AnswerNotKept,
            Self::UriTooLong => Code::UriTooLong,
            Self::UnsupportedMediaType(..) => Code::UnsupportedMediaType,
            Self::UnsupportedContentCoding => Code::UnsupportedContentCoding,
            Self::HeadersTooLarge => Code::HeadersTooLarge,
            Self::IdempotencyKeyReused(_) => Code::IdempotencyKeyReused,
            Self::TimedOut => Code::TimedOut,
            Self::Unavailable(_) => Code::ServiceUnavailable,
            Self::Internal(_) => Code::InternalError,
        }
    }

    /// An error of this code, as an example for the documents.
    pub(crate) fn sample(code: Code, fault: fn() -> FieldError) -> Self {
        match code {
            Code::AuthenticationRequired => Self::AuthenticationRequired,
            Code::BodyNotText => Self::BodyNotText,
            Code::BodyTooLarge => Self::BodyTooLarge,
            Code::EmailExists => Self::EmailExists,
            Code::InsufficientScope => Self::InsufficientScope(&[Scope::UsersRead]),
            Code::InternalError => Self::Internal(anyhow::anyhow!("a sample")),
            Code::InvalidCredential => Self::InvalidCredential,
            Code::InvalidRequest => Self::Invalid(vec![fault()]),
            Code::MethodNotAllowed => Self::MethodNotAllowed,
            Code::NotFound => Self::NotFound,
            Code::PreconditionFailed => Self::PreconditionFailed,
            Code::RateLimited => Self::RateLimited { retry_after: 1 },
            Code::ServiceUnavailable => Self::Unavailable(anyhow::anyhow!("a sample")),
            Code::StaffProtected => Self::StaffProtected,
            Code::StatusConflict => Self::StatusConflict,
            Code::EmailNotVerified => Self::EmailNotVerified,
            Code::LoginFailed => Self::LoginFailed,
            Code::MfaCodeInvalid => Self::MfaCodeInvalid,
            Code::MfaFactorNotFound => Self::MfaFactorNotFound,
            Code::MfaNotEnabled => Self::MfaNotEnabled,
            Code::PasswordWrong => Self::PasswordWrong,
            Code::ReauthenticationRequired => Self::ReauthenticationRequired,
            Code::SessionNotFound => Self::SessionNotFound,
            Code::SignUpClosed => Self::SignUpClosed,
            Code::TokenExpired => Self::TokenExpired,
            Code::TokenInvalid => Self::TokenInvalid,
            Code::TooManyFactors => Self::TooManyFactors,
            Code::UserTokenRequired => Self::UserTokenRequired,
            Code::ApiKeyNotFound => Self::ApiKeyNotFound,
            Code::ApiKeyRevoked => Self::ApiKeyRevoked,
            Code::SuperuserRequired => Self::SuperuserRequired,
            Code::IdempotencyInProgress => Self::IdempotencyInProgress,
            Code::AnswerNotKept => Self::AnswerNotKept,
            Code::UriTooLong => Self::UriTooLong,
            Code::UnsupportedMediaType => {
                Self::UnsupportedMediaType(HeaderName::from_static("accept-patch"), ACCEPT_PATCH)
            }
            Code::UnsupportedContentCoding => Self::UnsupportedContentCoding,
            Code::HeadersTooLarge => Self::HeadersTooLarge,
            Code::IdempotencyKeyReused => Self::key_reused(),
            Code::TimedOut => Self::TimedOut,
            Code::UserNotFound => Self::UserNotFound,
        }
    }

    /// The `Idempotency-Key` came with another request.
    pub(crate) fn key_reused() -> Self {
        let message = "This Idempotency-Key was used for another request; use a new one for each operation";
        Self::IdempotencyKeyReused([FieldError::in_header("Idempotency-Key", message)])
    }

    /// The faults of the request, where it has some.
    pub(crate) fn faults(&self) -> &[FieldError] {
        match self {
            Self::Invalid(faults) => faults,
            Self::IdempotencyKeyReused(fault) => fault,
            _ => &[],
        }
    }

    /// What to log: nothing for a client's mistake.
    pub(crate) fn cause(&self) -> Option<String> {
        match self {
            Self::Unavailable(cause) | Self::Internal(cause) => Some(format!("{cause:#}")),
            Self::TimedOut => Some("the handler reached its time limit".to_owned()),
            _ => None,
        }
    }

    fn header(&self) -> Option<(HeaderName, HeaderValue)> {
        let challenge = |text: &str| {
            HeaderValue::from_str(text)
                .ok()
                .map(|text| (header::WWW_AUTHENTICATE, text))
        };
        match self {
            Self::AuthenticationRequired | Self::LoginFailed | Self::MfaCodeInvalid => {
                challenge(r#"Bearer realm="usher""#)
            }
            // RFC 9470 §3
            Self::ReauthenticationRequired => {
                challenge(r#"Bearer realm="usher", error="insufficient_user_authentication", max_age="300""#)
            }
            // RFC 6750 §3.1
            Self::InvalidCredential => challenge(r#"Bearer realm="usher", error="invalid_token""#),
            Self::InsufficientScope(scopes) => {
                let scopes: Vec<&str> = scopes.iter().map(|scope| scope.as_str()).collect();
                let scopes = scopes.join(" ");
                challenge(&format!(
                    r#"Bearer realm="usher", error="insufficient_scope", scope="{scopes}""#
                ))
            }
            Self::UnsupportedMediaType(name, accepted) => Some((name.clone(), HeaderValue::from_static(accepted))),
            // RFC 7694 §3
            Self::UnsupportedContentCoding => Some((header::ACCEPT_ENCODING, HeaderValue::from_static("identity"))),
            Self::RateLimited { retry_after } => Some((header::RETRY_AFTER, HeaderValue::from(*retry_after))),
            Self::IdempotencyInProgress => Some((header::RETRY_AFTER, HeaderValue::from(1))),
            Self::Unavailable(_) | Self::TimedOut => Some((header::RETRY_AFTER, HeaderValue::from(5))),
            _ => None,
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = self.code().status().into_response();
        response.headers_mut().extend(self.header());
        response.extensions_mut().insert(Arc::new(self));
        response
    }
}

impl From<DbErr> for ApiError {
    fn from(error: DbErr) -> Self {
        if is_outage(&error) {
            Self::Unavailable(error.into())
        } else {
            Self::Internal(error.into())
        }
    }
}

impl From<Cut> for ApiError {
    fn from(cut: Cut) -> Self {
        match cut {
            Cut::BeforeCommit => Self::TimedOut,
            Cut::Unknown => Self::Unavailable(anyhow::anyhow!("the database did not answer a commit in time")),
        }
    }
}

impl From<EnqueueError> for ApiError {
    fn from(error: EnqueueError) -> Self {
        match error {
            EnqueueError::Db(error) => error.into(),
            other => Self::Internal(other.into()),
        }
    }
}

impl From<RedeemError> for ApiError {
    fn from(error: RedeemError) -> Self {
        match error {
            RedeemError::Invalid => Self::TokenInvalid,
            RedeemError::Expired => Self::TokenExpired,
            RedeemError::Db(error) => error.into(),
        }
    }
}

impl From<MfaError> for ApiError {
    fn from(error: MfaError) -> Self {
        match error {
            MfaError::Db(error) => error.into(),
            MfaError::Sealed => Self::Internal(error.into()),
        }
    }
}

impl From<anyhow::Error> for ApiError {
    fn from(error: anyhow::Error) -> Self {
        Self::Internal(error)
    }
}
