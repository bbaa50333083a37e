//! What the API answers when it does not answer as asked. An [`ApiError`] says what a client can do
//! about it; the [`crate::toolkit::guard`] gives it its body, because only there the request is known.

use std::sync::{Arc, LazyLock};

use axum::{
    http::{HeaderName, HeaderValue, header},
    response::{IntoResponse, Response},
};
use sea_orm::DbErr;
use usher_shared::{
    accounts::{api_keys::Scope, mail_tokens::RedeemError, mfa::MfaError},
    foundation::{
        db::{Cut, is_outage},
        rules::FieldErrors,
    },
    jobs::EnqueueError,
};

use super::{
    code::Code,
    fields::{FieldError, in_body},
};

/// Every way in which an operation can fail. `?` makes one of a [`Code`], which tells most of them whole.
#[derive(Debug)]
pub enum ApiError {
    /// An error that its code tells whole.
    Coded(Code),
    /// 422, with everything that is wrong with the request, in order.
    Invalid(Vec<FieldError>),
    /// 403: the key has none of these scopes.
    InsufficientScope(&'static [Scope]),
    /// 429, with the seconds to wait.
    RateLimited {
        /// From now on.
        retry_after: u64,
    },
    /// 415: a kind of body that the operation does not support, and the header that says which it does.
    UnsupportedMediaType(HeaderName, &'static str),
    /// 503: a part that is needed does not answer.
    Unavailable(anyhow::Error),
    /// 500. The cause is logged, never shown.
    Internal(anyhow::Error),
}

/// What is said of an `Idempotency-Key` that came with another request.
static KEY_REUSED: LazyLock<[FieldError; 1]> = LazyLock::new(|| {
    let message = "This Idempotency-Key was used for another request; use a new one for each operation";
    [FieldError::in_header("Idempotency-Key", message)]
});

impl ApiError {
    /// The code that clients match on.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            Self::Coded(code) => *code,
            Self::Invalid(_) => Code::INVALID_REQUEST,
            Self::InsufficientScope(_) => Code::INSUFFICIENT_SCOPE,
            Self::RateLimited { .. } => Code::RATE_LIMITED,
            Self::UnsupportedMediaType(..) => Code::UNSUPPORTED_MEDIA_TYPE,
            Self::Unavailable(_) => Code::SERVICE_UNAVAILABLE,
            Self::Internal(_) => Code::INTERNAL_ERROR,
        }
    }

    /// An error of this code, as an example for the documents.
    pub(crate) fn sample(code: Code, fault: fn() -> FieldError) -> Self {
        match code {
            Code::INVALID_REQUEST => Self::Invalid(vec![fault()]),
            _ => Self::Coded(code),
        }
    }

    /// The faults of the request, where it has some.
    #[must_use]
    pub fn faults(&self) -> &[FieldError] {
        match self {
            Self::Invalid(faults) => faults,
            Self::Coded(Code::IDEMPOTENCY_KEY_REUSED) => &*KEY_REUSED,
            _ => &[],
        }
    }

    /// What to log: nothing for a client's mistake.
    pub(crate) fn cause(&self) -> Option<String> {
        match self {
            Self::Unavailable(cause) | Self::Internal(cause) => Some(format!("{cause:#}")),
            Self::Coded(Code::TIMED_OUT) => Some("the handler reached its time limit".to_owned()),
            _ => None,
        }
    }

    fn header(&self) -> Option<(HeaderName, HeaderValue)> {
        match self {
            // RFC 6750 §3.1
            Self::InsufficientScope(scopes) => {
                let scopes: Vec<&str> = scopes.iter().map(|scope| scope.as_str()).collect();
                let scopes = scopes.join(" ");
                let challenge = format!(r#"Bearer realm="usher", error="insufficient_scope", scope="{scopes}""#);
                Some((header::WWW_AUTHENTICATE, challenge.parse().ok()?))
            }
            Self::UnsupportedMediaType(name, accepted) => Some((name.clone(), HeaderValue::from_static(accepted))),
            Self::RateLimited { retry_after } => Some((header::RETRY_AFTER, HeaderValue::from(*retry_after))),
            _ => self
                .code()
                .header()
                .map(|(name, value)| (name, HeaderValue::from_static(value))),
        }
    }
}

impl From<Code> for ApiError {
    fn from(code: Code) -> Self {
        Self::Coded(code)
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
            Cut::BeforeCommit => Code::TIMED_OUT.into(),
            Cut::Unknown => Self::Unavailable(anyhow::anyhow!("the database did not answer a commit in time")),
        }
    }
}

/// What a hook of the product refuses in an account's fields.
impl From<FieldErrors> for ApiError {
    fn from(errors: FieldErrors) -> Self {
        let faults = errors.0.into_iter();
        Self::Invalid(faults.map(|(field, violation)| in_body(field, violation)).collect())
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
            RedeemError::Invalid => Code::TOKEN_INVALID.into(),
            RedeemError::Refused(errors) => errors.into(),
            RedeemError::Expired => Code::TOKEN_EXPIRED.into(),
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
