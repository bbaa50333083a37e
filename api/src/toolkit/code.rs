//! Every error code of the API in one place: its status, its title, and what to do about it.
//! The OpenAPI document lists them and `/problems/{code}` explains them from here.

use axum::http::StatusCode;
use serde::{Serialize, Serializer};

/// What went wrong, as a stable word that clients match on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    AnswerNotKept,
    ApiKeyNotFound,
    ApiKeyRevoked,
    AuthenticationRequired,
    BodyNotText,
    BodyTooLarge,
    EmailExists,
    EmailNotVerified,
    HeadersTooLarge,
    IdempotencyInProgress,
    IdempotencyKeyReused,
    InsufficientScope,
    InternalError,
    InvalidCredential,
    InvalidRequest,
    LoginFailed,
    MethodNotAllowed,
    MfaCodeInvalid,
    MfaFactorNotFound,
    MfaNotEnabled,
    NotFound,
    PasswordWrong,
    PreconditionFailed,
    RateLimited,
    ReauthenticationRequired,
    ServiceUnavailable,
    SessionNotFound,
    SignUpClosed,
    StaffProtected,
    StatusConflict,
    SuperuserRequired,
    TimedOut,
    TokenExpired,
    TokenInvalid,
    TooManyFactors,
    UnsupportedContentCoding,
    UnsupportedMediaType,
    UriTooLong,
    UserNotFound,
    UserTokenRequired,
}

impl Code {
    /// Every code, in alphabetical order.
    pub const ALL: [Self; 40] = [
        Self::AnswerNotKept,
        Self::ApiKeyNotFound,
        Self::ApiKeyRevoked,
        Self::AuthenticationRequired,
        Self::BodyNotText,
        Self::BodyTooLarge,
        Self::EmailExists,
        Self::EmailNotVerified,
        Self::HeadersTooLarge,
        Self::IdempotencyInProgress,
        Self::IdempotencyKeyReused,
        Self::InsufficientScope,
        Self::InternalError,
        Self::InvalidCredential,
        Self::InvalidRequest,
        Self::LoginFailed,
        Self::MethodNotAllowed,
        Self::MfaCodeInvalid,
        Self::MfaFactorNotFound,
        Self::MfaNotEnabled,
        Self::NotFound,
        Self::PasswordWrong,
        Self::PreconditionFailed,
        Self::RateLimited,
        Self::ReauthenticationRequired,
        Self::ServiceUnavailable,
        Self::SessionNotFound,
        Self::SignUpClosed,
        Self::StaffProtected,
        Self::StatusConflict,
        Self::SuperuserRequired,
        Self::TimedOut,
        Self::TokenExpired,
        Self::TokenInvalid,
        Self::TooManyFactors,
        Self::UnsupportedContentCoding,
        Self::UnsupportedMediaType,
        Self::UriTooLong,
        Self::UserNotFound,
        Self::UserTokenRequired,
    ];

    /// The word on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AnswerNotKept => "answer_not_kept",
            Self::ApiKeyNotFound => "api_key_not_found",
            Self::ApiKeyRevoked => "api_key_revoked",
            Self::AuthenticationRequired => "authentication_required",
            Self::BodyNotText => "body_not_text",
            Self::BodyTooLarge => "body_too_large",
            Self::EmailExists => "email_exists",
            Self::EmailNotVerified => "email_not_verified",
            Self::HeadersTooLarge => "headers_too_large",
            Self::IdempotencyInProgress => "idempotency_in_progress",
            Self::IdempotencyKeyReused => "idempotency_key_reused",
            Self::InsufficientScope => "insufficient_scope",
            Self::InternalError => "internal_error",
            Self::InvalidCredential => "invalid_credential",
            Self::InvalidRequest => "invalid_request",
            Self::LoginFailed => "login_failed",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::MfaCodeInvalid => "mfa_code_invalid",
            Self::MfaFactorNotFound => "mfa_factor_not_found",
            Self::MfaNotEnabled => "mfa_not_enabled",
            Self::NotFound => "not_found",
            Self::PasswordWrong => "password_wrong",
            Self::PreconditionFailed => "precondition_failed",
            Self::RateLimited => "rate_limited",
            Self::ReauthenticationRequired => "reauthentication_required",
            Self::ServiceUnavailable => "service_unavailable",
            Self::SessionNotFound => "session_not_found",
            Self::SignUpClosed => "sign_up_closed",
            Self::StaffProtected => "staff_protected",
            Self::StatusConflict => "status_conflict",
            Self::SuperuserRequired => "superuser_required",
            Self::TimedOut => "timed_out",
            Self::TokenExpired => "token_expired",
            Self::TokenInvalid => "token_invalid",
            Self::TooManyFactors => "too_many_factors",
            Self::UnsupportedContentCoding => "unsupported_content_coding",
            Self::UnsupportedMediaType => "unsupported_media_type",
            Self::UriTooLong => "uri_too_long",
            Self::UserNotFound => "user_not_found",
            Self::UserTokenRequired => "user_token_required",
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
            Self::BodyNotText | Self::TokenInvalid => StatusCode::BAD_REQUEST,
            Self::AuthenticationRequired
            | Self::InvalidCredential
            | Self::LoginFailed
            | Self::MfaCodeInvalid
            | Self::ReauthenticationRequired => StatusCode::UNAUTHORIZED,
            Self::EmailNotVerified
            | Self::InsufficientScope
            | Self::PasswordWrong
            | Self::SignUpClosed
            | Self::StaffProtected
            | Self::SuperuserRequired
            | Self::UserTokenRequired => StatusCode::FORBIDDEN,
            Self::ApiKeyNotFound
            | Self::MfaFactorNotFound
            | Self::NotFound
            | Self::SessionNotFound
            | Self::UserNotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::AnswerNotKept
            | Self::ApiKeyRevoked
            | Self::EmailExists
            | Self::IdempotencyInProgress
            | Self::MfaNotEnabled
            | Self::StatusConflict
            | Self::TooManyFactors => StatusCode::CONFLICT,
            Self::TokenExpired => StatusCode::GONE,
            Self::PreconditionFailed => StatusCode::PRECONDITION_FAILED,
            Self::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UriTooLong => StatusCode::URI_TOO_LONG,
            Self::UnsupportedContentCoding | Self::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::IdempotencyKeyReused | Self::InvalidRequest => StatusCode::UNPROCESSABLE_ENTITY,
            Self::HeadersTooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::RateLimited => StatusCode::TOO_MANY_REQUESTS,
            Self::InternalError => StatusCode::INTERNAL_SERVER_ERROR,
            Self::ServiceUnavailable | Self::TimedOut => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// The same few words for every occurrence (RFC 9457 §3.1.3).
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::AnswerNotKept => "Answer not kept",
            Self::ApiKeyNotFound => "API key not found",
            Self::ApiKeyRevoked => "API key is revoked",
            Self::AuthenticationRequired => "Credential required",
            Self::BodyNotText => "Body is not text",
            Self::BodyTooLarge => "Body too large",
            Self::EmailExists => "Email already registered",
            Self::EmailNotVerified => "Email not confirmed",
            Self::HeadersTooLarge => "Headers too large",
            Self::IdempotencyInProgress => "Still running",
            Self::IdempotencyKeyReused => "Idempotency-Key used before",
            Self::InsufficientScope => "Scope missing",
            Self::InternalError => "Internal error",
            Self::InvalidCredential => "Credential not valid",
            Self::InvalidRequest => "Request not valid",
            Self::LoginFailed => "Sign-in refused",
            Self::MethodNotAllowed => "Method not allowed",
            Self::MfaCodeInvalid => "Code not valid",
            Self::MfaFactorNotFound => "Second factor not found",
            Self::MfaNotEnabled => "No second factor",
            Self::NotFound => "No such address",
            Self::PasswordWrong => "Password wrong",
            Self::PreconditionFailed => "Changed meanwhile",
            Self::RateLimited => "Too many requests",
            Self::ReauthenticationRequired => "Password needed again",
            Self::ServiceUnavailable => "Service unavailable",
            Self::SessionNotFound => "Session not found",
            Self::SignUpClosed => "Sign-up is closed",
            Self::StaffProtected => "Staff account",
            Self::StatusConflict => "Status does not allow it",
            Self::SuperuserRequired => "Superuser required",
            Self::TimedOut => "Took too long",
            Self::TokenExpired => "Token expired",
            Self::TokenInvalid => "Token not valid",
            Self::TooManyFactors => "Too many second factors",
            Self::UnsupportedContentCoding => "Coding not understood",
            Self::UnsupportedMediaType => "Media type not understood",
            Self::UriTooLong => "Address too long",
            Self::UserNotFound => "User not found",
            Self::UserTokenRequired => "User required",
        }
    }

    /// The `detail` of the default face where the occurrence adds nothing of its own.
    #[must_use]
    pub const fn detail(self) -> &'static str {
        match self {
            Self::AnswerNotKept => "The first request was done, and its answer held a secret that is shown once",
            Self::ApiKeyNotFound => "API key not found",
            Self::ApiKeyRevoked => "The API key is revoked",
            Self::AuthenticationRequired => {
                "Not authenticated: send an access token or an API key as `Authorization: Bearer …`"
            }
            Self::BodyNotText => "The body is not valid UTF-8",
            Self::BodyTooLarge => "The body is larger than 256 KiB",
            Self::EmailExists => "Email already registered",
            Self::EmailNotVerified => "The email address is not confirmed yet; open the link that was mailed to it",
            Self::HeadersTooLarge => "The headers are larger than 16 KiB",
            Self::IdempotencyInProgress => {
                "A request with this `Idempotency-Key` is still running; wait as long as `Retry-After` says"
            }
            Self::IdempotencyKeyReused => "The `Idempotency-Key` was used for another request",
            Self::InsufficientScope => "The credential lacks the scope for this",
            Self::InternalError => "Internal Server Error",
            Self::InvalidCredential => "The credential is unknown, expired, revoked or not allowed from here",
            Self::InvalidRequest => "The request is not valid; `errors` lists what to mend",
            Self::LoginFailed => "Email or password is wrong, or the account may not sign in",
            Self::MethodNotAllowed => "Method Not Allowed",
            Self::MfaCodeInvalid => "The code is wrong, has run out, or was used before",
            Self::MfaFactorNotFound => "Second factor not found",
            Self::MfaNotEnabled => "The account has no second factor",
            Self::NotFound => "Not Found",
            Self::PasswordWrong => "The password is not the one of this account",
            Self::PreconditionFailed => "It was changed since the version in `If-Match`; read it again",
            Self::RateLimited => "Too many requests; wait as long as `Retry-After` says",
            Self::ReauthenticationRequired => "Confirm your password first; that lasts five minutes",
            Self::ServiceUnavailable | Self::TimedOut => "Service Unavailable",
            Self::SessionNotFound => "Session not found",
            Self::SignUpClosed => "This installation does not let people sign up by themselves",
            Self::StaffProtected => "Staff accounts are changed in the admin only",
            Self::StatusConflict => "The user's status does not allow this",
            Self::SuperuserRequired => "Only a superuser may do this",
            Self::TokenExpired => "The token has expired; ask for a new one",
            Self::TokenInvalid => "The token is unknown, was used before, or was replaced by a newer one",
            Self::TooManyFactors => "The account has five second factors, which is the limit",
            Self::UnsupportedContentCoding => "The body is compressed; send it without Content-Encoding",
            Self::UnsupportedMediaType => "The operation does not understand a body of this Content-Type",
            Self::UriTooLong => "The address is longer than 8 KiB",
            Self::UserNotFound => "User not found",
            Self::UserTokenRequired => {
                "This is for signed-in users: send an access token as `Authorization: Bearer uat_…`"
            }
        }
    }

    /// What happened and what to do, for the page at [`Code::path`].
    #[must_use]
    pub const fn explanation(self) -> &'static str {
        match self {
            Self::AnswerNotKept => {
                "A request with this `Idempotency-Key` was done before. Its answer held a secret, and secrets are not kept, so it \
                 cannot be sent again; nothing was done this time. `Location`, where there is one, leads to what was made. \
                 If its secret never arrived, replace it: rotate the API key, or sign in anew with another \
                 `Idempotency-Key`."
            }
            Self::ApiKeyNotFound => "No API key has this id. `GET /api-keys` lists those there are.",
            Self::ApiKeyRevoked => {
                "A revoked API key stays in the list for the record but is not changed or rotated any more. Make a new one."
            }
            Self::AuthenticationRequired => {
                "The operation needs a credential and the request has none. Send it in the header `Authorization: \
                 Bearer …`: a user's access token (`uat_…`), as `POST /auth/login` gives it, or an API key (`uak_…`), \
                 as staff make it with `usher key create`. Credentials in the address are never read."
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
            Self::EmailNotVerified => {
                "The password is right, but nobody has yet proved that the email address is theirs. Open the link in \
                 the mail, or ask for another at `POST /auth/verify-email/resend`."
            }
            Self::HeadersTooLarge => {
                "Name and value of all headers together may have 16 KiB. Send fewer or shorter ones; cookies are not needed here."
            }
            Self::IdempotencyInProgress => {
                "The first request with this `Idempotency-Key` has not ended yet. Send the same one again after the seconds of \
                 `Retry-After` and get its answer. If the process that ran it has died, the key is free after 60 seconds."
            }
            Self::IdempotencyKeyReused => {
                "This `Idempotency-Key` came with another body, query or precondition within the last 24 hours. Nothing was done. \
                 Use a new key, such as a random UUID, for each operation, and the same one only to repeat it unchanged."
            }
            Self::InsufficientScope => {
                "The credential is valid but lacks the scope that the operation needs; `WWW-Authenticate` names it. Use \
                 an API key that has the scope. A user's access token has none: it opens `/me` and its like."
            }
            Self::InternalError => {
                "Something failed that is not the request's fault. Try again later; if it stays, give the operator \
                 the `request_id`, under which the cause is logged."
            }
            Self::InvalidCredential => {
                "The credential is mistyped, unknown, expired, revoked, or not allowed from the address it came \
                 from; which of these is not told. Refresh an access token; check that an API key was copied \
                 whole, `uak_` included, or make a new one."
            }
            Self::InvalidRequest => {
                "The request was understood but its values break the rules. Every fault is listed at once, with \
                 `loc` (or `pointer`) saying where and `msg` saying what to do. Mend them all and send it again."
            }
            Self::LoginFailed => {
                "No account has this email and password, or the one that has them is locked or deactivated; which of \
                 these is not told. Check both, or choose a new password with `POST /auth/password-reset`."
            }
            Self::MethodNotAllowed => "The address exists but not with this method; `Allow` lists those it has.",
            Self::MfaCodeInvalid => {
                "Codes of an authenticator app change every 30 seconds and work once; recovery codes work once. Check \
                 the clock of the device and wait for the next code. A sign-in ends after five wrong codes: begin \
                 again with the password."
            }
            Self::MfaFactorNotFound => {
                "The account has no such second factor, or it is confirmed already. `GET /me/mfa` lists those there \
                 are."
            }
            Self::MfaNotEnabled => {
                "Recovery codes stand in for a second factor, and the account has none. Add one with `POST \
                 /me/mfa/totp` first."
            }
            Self::NotFound => "Nothing is at this address. `/docs` lists every operation.",
            Self::PasswordWrong => {
                "The signed-in user typed a password that is not theirs. Try again, or choose a new one with `POST \
                 /auth/password-reset`."
            }
            Self::PreconditionFailed => {
                "`If-Match` names a version that has passed: somebody changed it since. Nothing was done. Read it again, \
                 look whether your change still makes sense, and send it with the new `ETag`."
            }
            Self::RateLimited => {
                "The limit of the API key, or of the address where there is no key, is used up. Wait the seconds of \
                 `Retry-After`. `RateLimit-Policy` and `RateLimit` show limit and remainder on every answer, so a \
                 client can slow down in time."
            }
            Self::ReauthenticationRequired => {
                "The operation needs the owner to have shown the password within the last five minutes, so that a \
                 borrowed device is not enough. Send it to `POST /auth/reauthenticate`, then try again with the same \
                 access token."
            }
            Self::ServiceUnavailable => {
                "A part that the operation needs does not answer, such as the database. Try again after the seconds of \
                 `Retry-After`. Nothing was changed, unless the connection broke just when the change was written: an \
                 `Idempotency-Key` or a look tells."
            }
            Self::SessionNotFound => "The user has no such session, or it has ended.",
            Self::SignUpClosed => {
                "People cannot make accounts by themselves here (`SIGN_UP=closed`). A service with an API key can \
                 make them with `POST /users`."
            }
            Self::StaffProtected => {
                "The account is one of the staff. API keys cannot change or delete those, because whoever can change \
                 an administrator's address can become one. Use the admin."
            }
            Self::StatusConflict => {
                "A deactivated user cannot be locked or unlocked, and a locked one cannot be reactivated: reactivate the \
                 first, unlock the second. `GET /users/{id}` shows the status. A deleted user keeps its external id \
                 until its data is removed after 30 days."
            }
            Self::SuperuserRequired => {
                "The operation is for superusers who are signed in as themselves, with their second factor where the \
                 installation asks it of staff (`STAFF_MFA`). API keys cannot do it, so that a key cannot make keys."
            }
            Self::TimedOut => {
                "The operation took longer than 15 seconds and was stopped before anything was changed. Try again in a \
                 while."
            }
            Self::TokenExpired => {
                "The token was good but its time is over. Ask for a new one where this one came from."
            }
            Self::TokenInvalid => {
                "The token is mistyped, was used before, was replaced by a newer one, or something has happened since \
                 that ended it, such as a new password. Use the newest one, or ask for another."
            }
            Self::TooManyFactors => {
                "An account can have five second factors. Remove one that is no longer used with `DELETE \
                 /me/mfa/{id}`."
            }
            Self::UnsupportedContentCoding => {
                "The body came with a `Content-Encoding` such as `gzip` or `br`. Bodies are read as they are: send it \
                 without one, as `Accept-Encoding` of the answer says (RFC 7694)."
            }
            Self::UnsupportedMediaType => {
                "The body's `Content-Type` is not one that the operation understands; `Accept-Patch` or `Accept-Post` of \
                 the answer names those. Changes are JSON merge patches (RFC 7396), not JSON patches (RFC 6902)."
            }
            Self::UriTooLong => {
                "Path and query together may have 8 KiB. Send a shorter one; a list's filters are rarely so long."
            }
            Self::UserNotFound => "No user has this id, or the user was deleted.",
            Self::UserTokenRequired => {
                "The operation is about the signed-in user, and an API key is nobody. Send the access token that \
                 `POST /auth/login` gives."
            }
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
