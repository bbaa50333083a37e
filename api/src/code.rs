//! Every error code of the API in one place: its status, its title, and what to do about it.
//! The OpenAPI document lists them and `/problems/{code}` explains them from here.

use axum::http::StatusCode;
use serde::{Serialize, Serializer};

/// What went wrong, as a stable word that clients match on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    AuthenticationRequired,
    BodyNotText,
    BodyTooLarge,
    EmailExists,
    InsufficientScope,
    InternalError,
    InvalidCredential,
    InvalidRequest,
    MethodNotAllowed,
    NotFound,
    PreconditionFailed,
    RateLimited,
    ServiceUnavailable,
    StaffProtected,
    StatusConflict,
    TimedOut,
    UserNotFound,
}

impl Code {
    /// Every code, in alphabetical order.
    pub const ALL: [Self; 17] = [
        Self::AuthenticationRequired,
        Self::BodyNotText,
        Self::BodyTooLarge,
        Self::EmailExists,
        Self::InsufficientScope,
        Self::InternalError,
        Self::InvalidCredential,
        Self::InvalidRequest,
        Self::MethodNotAllowed,
        Self::NotFound,
        Self::PreconditionFailed,
        Self::RateLimited,
        Self::ServiceUnavailable,
        Self::StaffProtected,
        Self::StatusConflict,
        Self::TimedOut,
        Self::UserNotFound,
    ];

    /// The word on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AuthenticationRequired => "authentication_required",
            Self::BodyNotText => "body_not_text",
            Self::BodyTooLarge => "body_too_large",
            Self::EmailExists => "email_exists",
            Self::InsufficientScope => "insufficient_scope",
            Self::InternalError => "internal_error",
            Self::InvalidCredential => "invalid_credential",
            Self::InvalidRequest => "invalid_request",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::NotFound => "not_found",
            Self::PreconditionFailed => "precondition_failed",
            Self::RateLimited => "rate_limited",
            Self::ServiceUnavailable => "service_unavailable",
            Self::StaffProtected => "staff_protected",
            Self::StatusConflict => "status_conflict",
            Self::TimedOut => "timed_out",
            Self::UserNotFound => "user_not_found",
        }
    }

    /// The code of this word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.as_str() == word)
    }

    #[must_use]
    pub const fn status(self) -> StatusCode {
        match self {
            Self::BodyNotText => StatusCode::BAD_REQUEST,
            Self::AuthenticationRequired | Self::InvalidCredential => StatusCode::UNAUTHORIZED,
            Self::InsufficientScope | Self::StaffProtected => StatusCode::FORBIDDEN,
            Self::NotFound | Self::UserNotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::EmailExists | Self::StatusConflict => StatusCode::CONFLICT,
            Self::PreconditionFailed => StatusCode::PRECONDITION_FAILED,
            Self::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::InvalidRequest => StatusCode::UNPROCESSABLE_ENTITY,
            Self::RateLimited => StatusCode::TOO_MANY_REQUESTS,
            Self::InternalError => StatusCode::INTERNAL_SERVER_ERROR,
            Self::ServiceUnavailable | Self::TimedOut => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// The same few words for every occurrence (RFC 9457 §3.1.3).
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::AuthenticationRequired => "Credential required",
            Self::BodyNotText => "Body is not text",
            Self::BodyTooLarge => "Body too large",
            Self::EmailExists => "Email already registered",
            Self::InsufficientScope => "Scope missing",
            Self::InternalError => "Internal error",
            Self::InvalidCredential => "Credential not valid",
            Self::InvalidRequest => "Request not valid",
            Self::MethodNotAllowed => "Method not allowed",
            Self::NotFound => "No such address",
            Self::PreconditionFailed => "Changed meanwhile",
            Self::RateLimited => "Too many requests",
            Self::ServiceUnavailable => "Service unavailable",
            Self::StaffProtected => "Staff account",
            Self::StatusConflict => "Status does not allow it",
            Self::TimedOut => "Took too long",
            Self::UserNotFound => "User not found",
        }
    }

    /// The `detail` of the default face where the occurrence adds nothing of its own.
    #[must_use]
    pub const fn detail(self) -> &'static str {
        match self {
            Self::AuthenticationRequired => "Not authenticated: send an API key as `Authorization: Bearer uak_…`",
            Self::BodyNotText => "The body is not valid UTF-8",
            Self::BodyTooLarge => "The body is larger than 256 KiB",
            Self::EmailExists => "Email already registered",
            Self::InsufficientScope => "The API key lacks the scope for this",
            Self::InternalError => "Internal Server Error",
            Self::InvalidCredential => "The credential is unknown, expired, revoked or not allowed from here",
            Self::InvalidRequest => "The request is not valid; `errors` lists what to mend",
            Self::MethodNotAllowed => "Method Not Allowed",
            Self::NotFound => "Not Found",
            Self::PreconditionFailed => "The user was changed since the version in `If-Match`; read it again",
            Self::RateLimited => "Too many requests; wait as long as `Retry-After` says",
            Self::ServiceUnavailable | Self::TimedOut => "Service Unavailable",
            Self::StaffProtected => "Staff accounts are changed in the admin only",
            Self::StatusConflict => "The user's status does not allow this",
            Self::UserNotFound => "User not found",
        }
    }

    /// What happened and what to do, for the page at [`Code::path`].
    #[must_use]
    pub const fn explanation(self) -> &'static str {
        match self {
            Self::AuthenticationRequired => {
                "The operation needs a credential and the request has none. Send an API key in the header \
                 `Authorization: Bearer uak_…`. Staff make keys with `usher key create`. Credentials in the address \
                 are never read."
            }
            Self::BodyNotText => {
                "The body is declared as JSON but is not valid UTF-8. JSON is always UTF-8 (RFC 8259 §8.1): encode \
                 the body again and check that nothing on the way cuts characters in half."
            }
            Self::BodyTooLarge => {
                "The body is larger than 256 KiB. Send less, or split the work into several requests."
            }
            Self::EmailExists => {
                "Another user has this email address; letter case makes no difference. Look the user up instead, or \
                 use another address."
            }
            Self::InsufficientScope => {
                "The API key is valid but lacks the scope that the operation needs; `WWW-Authenticate` names it. Use \
                 a key that has the scope."
            }
            Self::InternalError => {
                "Something failed that is not the request's fault. Try again later; if it stays, give the operator \
                 the `request_id`, under which the cause is logged."
            }
            Self::InvalidCredential => {
                "The credential is mistyped, unknown, expired, revoked, or not allowed from the address it came \
                 from; which of these is not told. Check that the whole key was copied, `uak_` included, or make a \
                 new one."
            }
            Self::InvalidRequest => {
                "The request was understood but its values break the rules. Every fault is listed at once, with \
                 `loc` (or `pointer`) saying where and `msg` saying what to do. Mend them all and send it again."
            }
            Self::MethodNotAllowed => "The address exists but not with this method; `Allow` lists those it has.",
            Self::NotFound => "Nothing is at this address. `/docs` lists every operation.",
            Self::PreconditionFailed => {
                "`If-Match` names a version that has passed: somebody changed it since. Nothing was done. Read it again, \
                 look whether your change still makes sense, and send it with the new `ETag`."
            }
            Self::RateLimited => {
                "The limit of the API key, or of the address where there is no key, is used up. Wait the seconds of \
                 `Retry-After`. `RateLimit-Policy` and `RateLimit` show limit and remainder on every answer, so a \
                 client can slow down in time."
            }
            Self::ServiceUnavailable => {
                "A part that the operation needs does not answer, such as the database. Nothing was changed. Try \
                 again after the seconds of `Retry-After`."
            }
            Self::StaffProtected => {
                "The account is one of the staff. API keys cannot change or delete those, because whoever can change \
                 an administrator's address can become one. Use the admin."
            }
            Self::StatusConflict => {
                "A deactivated user cannot be locked or unlocked, and a locked one cannot be reactivated: reactivate the \
                 first, unlock the second. `GET /users/{id}` shows the status."
            }
            Self::TimedOut => {
                "The operation took longer than 15 seconds and was stopped. A change may or may not have been made: \
                 look before you try again."
            }
            Self::UserNotFound => "No user has this id, or the user was deleted.",
        }
    }

    /// The address of its explanation, under the API's own.
    #[must_use]
    pub fn path(self) -> String {
        format!("/problems/{}", self.as_str())
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}
