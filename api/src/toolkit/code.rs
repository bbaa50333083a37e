//! The error codes of the API: each is one entry of the table at the end. The OpenAPI document lists them, errors carry
//! their texts, and `/problems/{code}` explains them from here.

use axum::http::{HeaderName, StatusCode, header};
use serde::{Serialize, Serializer};

/// What the table says of a code.
struct Entry {
    word: &'static str,
    status: StatusCode,
    title: &'static str,
    detail: &'static str,
    explanation: &'static str,
    header: Option<(HeaderName, &'static str)>,
}

impl Code {
    /// The code of this word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|code| code.as_str() == word)
    }

    /// The word on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.entry().word
    }

    #[must_use]
    pub fn status(self) -> StatusCode {
        self.entry().status
    }

    /// The same few words for every occurrence (RFC 9457 §3.1.3).
    #[must_use]
    pub fn title(self) -> &'static str {
        self.entry().title
    }

    /// The `detail` of the default face where the occurrence adds nothing of its own.
    #[must_use]
    pub fn detail(self) -> &'static str {
        self.entry().detail
    }

    /// What happened and what to do, for the page at [`Code::path`].
    #[must_use]
    pub fn explanation(self) -> &'static str {
        self.entry().explanation
    }

    /// The header that every occurrence has.
    pub(super) fn header(self) -> Option<(HeaderName, &'static str)> {
        self.entry().header
    }

    /// The path of its explanation, under the API's own.
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

/// `Name = "word", STATUS, "title", "detail", "explanation"`, and a header where every occurrence has the same.
macro_rules! codes {
    ($($name:ident = $word:literal, $status:ident, $title:literal, $detail:literal, $explanation:literal
        $(, $header:ident: $value:literal)?;)*) => {
        /// What went wrong, as a stable word that clients match on.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Code {
            $($name,)*
        }

        impl Code {
            /// Every code, in alphabetical order.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            fn entry(self) -> Entry {
                match self {
                    $(Self::$name => Entry {
                        word: $word,
                        status: StatusCode::$status,
                        title: $title,
                        detail: $detail,
                        explanation: $explanation,
                        header: header!($($header: $value)?),
                    },)*
                }
            }
        }
    };
}

macro_rules! header {
    () => {
        None
    };
    ($name:ident: $value:literal) => {
        Some((header::$name, $value))
    };
}

codes! {
    AnswerNotKept = "answer_not_kept", CONFLICT,
        "Response not kept",
        "The first request was carried out, but its response held a secret that is shown only once",
        "A request with this `Idempotency-Key` was carried out before. Its response held a secret; secrets aren't \
        stored, so it can't be sent again, and nothing was done this time. `Location`, where there is one, points to \
        what was created. If you never received the secret, replace it: rotate the API key, or sign in again with a \
        new `Idempotency-Key`.";
    ApiKeyNotFound = "api_key_not_found", NOT_FOUND,
        "API key not found",
        "API key not found",
        "No API key has this id. `GET /api-keys` lists them all.";
    ApiKeyRevoked = "api_key_revoked", CONFLICT,
        "API key is revoked",
        "This API key is revoked; create a new one",
        "A revoked API key stays in the list but can't be changed or rotated. Create a new one.";
    AuthenticationRequired = "authentication_required", UNAUTHORIZED,
        "Credential required",
        "Not authenticated: send an access token or an API key as `Authorization: Bearer …`",
        "The operation needs a credential and the request has none. Send it in the header `Authorization: Bearer …`: \
        a user's access token (`uat_…`) from `POST /auth/login`, or an API key (`uak_…`) that staff create with \
        `usher key create`. Credentials in the URL are ignored.",
        WWW_AUTHENTICATE: r#"Bearer realm="usher""#;
    BodyNotText = "body_not_text", BAD_REQUEST,
        "Body is not text",
        "The body is not valid UTF-8",
        "The body is declared as JSON but is not valid UTF-8. JSON is always UTF-8 (RFC 8259 §8.1): encode the body \
        again, and check that nothing on the way splits characters.";
    BodyTooLarge = "body_too_large", PAYLOAD_TOO_LARGE,
        "Body too large",
        "The body is larger than 256 KiB",
        "The body is larger than 256 KiB. Send less, or split the work into several requests.";
    EmailExists = "email_exists", CONFLICT,
        "Email already registered",
        "Email already registered",
        "Another user has this email address; upper and lower case count as the same. Look that user up instead, or \
        use another address.";
    EmailNotVerified = "email_not_verified", FORBIDDEN,
        "Email not confirmed",
        "Confirm your email address first: open the link we mailed you",
        "The password is right, but the email address isn't confirmed yet. Open the link in the email, or request \
        another at `POST /auth/verify-email/resend`.";
    HeadersTooLarge = "headers_too_large", REQUEST_HEADER_FIELDS_TOO_LARGE,
        "Headers too large",
        "The headers are larger than 16 KiB",
        "Names and values of all headers together can have 16 KiB. Send fewer or shorter ones; cookies aren't needed \
        here.";
    IdempotencyInProgress = "idempotency_in_progress", CONFLICT,
        "Still running",
        "A request with this `Idempotency-Key` is still running; wait as long as `Retry-After` says",
        "The first request with this `Idempotency-Key` hasn't finished. Send it again after the seconds in \
        `Retry-After` to get its response. If the process that ran it has died, the key is free after 60 seconds.",
        RETRY_AFTER: "1";
    IdempotencyKeyReused = "idempotency_key_reused", UNPROCESSABLE_ENTITY,
        "Idempotency-Key used before",
        "This `Idempotency-Key` was used for another request",
        "This `Idempotency-Key` came with another body, query or precondition within the last 24 hours. Nothing was \
        done. Use a new key, such as a random UUID, for each operation, and the same one only to repeat it unchanged.";
    InsufficientScope = "insufficient_scope", FORBIDDEN,
        "Scope missing",
        "The credential lacks the scope for this",
        "The credential is valid but lacks the scope that the operation needs; `WWW-Authenticate` names it. Use an API \
        key that has the scope. A user's access token has no scopes: use it for `/me` and the like.";
    InternalError = "internal_error", INTERNAL_SERVER_ERROR,
        "Internal error",
        "Internal Server Error",
        "Something failed, and the request is not to blame. Try again later; if it keeps happening, give the operator \
        the `request_id`, under which the cause is logged.";
    InvalidCredential = "invalid_credential", UNAUTHORIZED,
        "Credential not valid",
        "The credential is unknown, expired, revoked or not allowed from your address",
        "The credential is mistyped, unknown, expired, revoked, or not allowed from the address it came from; the \
        answer doesn't say which. Refresh an access token; check that you copied an API key whole, `uak_` included, or \
        create a new one.",
        WWW_AUTHENTICATE: r#"Bearer realm="usher", error="invalid_token""#;
    InvalidRequest = "invalid_request", UNPROCESSABLE_ENTITY,
        "Request not valid",
        "The request is not valid; `errors` lists what to correct",
        "One or more values of the request are not valid. All errors are listed at once: `loc` (or `pointer`) says \
        where, `msg` (or `detail`) says what to do. Correct them and send the request again.";
    LoginFailed = "login_failed", UNAUTHORIZED,
        "Sign-in refused",
        "Wrong email or password, or the account can't sign in",
        "No account has this email and password, or the account is locked or deactivated; the response doesn't say \
        which. Check both, or set a new password with `POST /auth/password-reset`.",
        WWW_AUTHENTICATE: r#"Bearer realm="usher""#;
    MethodNotAllowed = "method_not_allowed", METHOD_NOT_ALLOWED,
        "Method not allowed",
        "Method Not Allowed",
        "The address exists but doesn't support this method; `Allow` lists those it does.";
    MfaCodeInvalid = "mfa_code_invalid", UNAUTHORIZED,
        "Code not valid",
        "This code is wrong, expired or already used",
        "The codes of an authenticator app change every 30 seconds and work once; recovery codes work once. Check the \
        clock of the device and wait for the next code. A sign-in ends after five wrong codes: start again with the \
        password.",
        WWW_AUTHENTICATE: r#"Bearer realm="usher""#;
    MfaFactorNotFound = "mfa_factor_not_found", NOT_FOUND,
        "Second factor not found",
        "Second factor not found",
        "The account has no such second factor, or it is confirmed already. `GET /me/mfa` lists them.";
    MfaNotEnabled = "mfa_not_enabled", CONFLICT,
        "No second factor",
        "The account has no second factor",
        "Recovery codes replace a second factor, and the account has none. Add one with `POST /me/mfa/totp` first.";
    NotFound = "not_found", NOT_FOUND,
        "Not found",
        "Not Found",
        "There is nothing at this URL. `/docs` lists every operation.";
    PasswordWrong = "password_wrong", FORBIDDEN,
        "Wrong password",
        "The password is not the one of this account",
        "The password is not the one of the signed-in user. Try again, or set a new one with `POST \
         /auth/password-reset`.";
    PreconditionFailed = "precondition_failed", PRECONDITION_FAILED,
        "Changed in the meantime",
        "Changed since the version in `If-Match`; read it again",
        "`If-Match` names an older version: someone changed it since. Nothing was done. Read it again, check that your \
        change still makes sense, and send it with the new `ETag`.";
    RateLimited = "rate_limited", TOO_MANY_REQUESTS,
        "Too many requests",
        "Too many requests; wait as long as `Retry-After` says",
        "The rate limit is used up: the API key's own, or your address's without one. Wait the seconds in \
        `Retry-After`. Every answer has `RateLimit-Policy` and `RateLimit` with the limit and what is left, so that \
        clients can slow down in time.";
    ReauthenticationRequired = "reauthentication_required", UNAUTHORIZED,
        "Password needed again",
        "Confirm your password to continue",
        "The operation needs a password confirmed within the last five minutes, so that a borrowed device is not \
        enough. Send the password to `POST /auth/reauthenticate`, then try again with the same access token.",
        // RFC 9470 §3
        WWW_AUTHENTICATE: r#"Bearer realm="usher", error="insufficient_user_authentication", max_age="300""#;
    ServiceUnavailable = "service_unavailable", SERVICE_UNAVAILABLE,
        "Service unavailable",
        "Service Unavailable",
        "Something the operation needs, such as the database, doesn't answer. Try again after the seconds in \
        `Retry-After`. Nothing was changed, unless the connection broke while the change was being written: look it \
        up, or repeat the request with the same `Idempotency-Key`.",
        RETRY_AFTER: "5";
    SessionNotFound = "session_not_found", NOT_FOUND,
        "Session not found",
        "Session not found",
        "The user has no such session, or it has ended.";
    SignUpClosed = "sign_up_closed", FORBIDDEN,
        "Sign-up is closed",
        "Sign-up is closed here; ask for an invitation",
        "People can't create accounts themselves here (`SIGN_UP=closed`). A service with an API key can create them \
        with `POST /users`.";
    StaffProtected = "staff_protected", FORBIDDEN,
        "Staff account",
        "Staff accounts can only be changed in the admin",
        "This is a staff account. API keys can't change or delete those, because a key that can change an \
        administrator's address could take over the account. Use the admin.";
    StatusConflict = "status_conflict", CONFLICT,
        "Status does not allow it",
        "The user's status does not allow this",
        "A deactivated user can't be locked or unlocked, and a locked one can't be reactivated: reactivate the first, \
        unlock the second. `GET /users/{id}` shows the status. A deleted user keeps its external id until its data is \
        removed after 30 days.";
    SuperuserRequired = "superuser_required", FORBIDDEN,
        "Superuser required",
        "Only a superuser can do this",
        "The operation is for superusers signed in as themselves, with their second factor where the installation \
        requires it of staff (`STAFF_MFA`). API keys can't do it, so that a key can't create keys.";
    TimedOut = "timed_out", SERVICE_UNAVAILABLE,
        "Took too long",
        "Service Unavailable",
        "The operation took longer than 15 seconds and was stopped before it changed anything. Try again later.",
        RETRY_AFTER: "5";
    TokenExpired = "token_expired", GONE,
        "Token expired",
        "The token has expired; request a new one",
        "The token was valid but has expired. Request a new one where this one came from.";
    TokenInvalid = "token_invalid", BAD_REQUEST,
        "Token not valid",
        "The token is unknown, already used or replaced by a newer one",
        "The token is mistyped, already used, replaced by a newer one, or ended by something that happened since, such \
        as a new password. Use the newest one, or request another.";
    TooManyFactors = "too_many_factors", CONFLICT,
        "Too many second factors",
        "The account has five second factors, which is the limit",
        "An account can have five second factors. Remove one you no longer use with `DELETE /me/mfa/{id}`.";
    UnsupportedContentCoding = "unsupported_content_coding", UNSUPPORTED_MEDIA_TYPE,
        "Content coding not supported",
        "The body is compressed; send it without Content-Encoding",
        "The body has a `Content-Encoding` such as `gzip` or `br`. Send it without one, as `Accept-Encoding` in the \
        response says (RFC 7694).",
        ACCEPT_ENCODING: "identity";
    UnsupportedMediaType = "unsupported_media_type", UNSUPPORTED_MEDIA_TYPE,
        "Media type not supported",
        "The operation does not support this Content-Type",
        "The operation doesn't support the body's `Content-Type`; `Accept-Patch` or `Accept-Post` in the response \
        lists those it does. Changes are JSON merge patches (RFC 7396), not JSON patches (RFC 6902).";
    UriTooLong = "uri_too_long", URI_TOO_LONG,
        "URL too long",
        "The URL is longer than 8 KiB",
        "Path and query together can have 8 KiB. Shorten them; filters are rarely that long.";
    UserNotFound = "user_not_found", NOT_FOUND,
        "User not found",
        "User not found",
        "No user has this id, or the user was deleted.";
    UserTokenRequired = "user_token_required", FORBIDDEN,
        "User required",
        "This is for signed-in users: send an access token as `Authorization: Bearer uat_…`",
        "The operation is about the signed-in user, and an API key has none. Send the access token from \
        `POST /auth/login`.";
}
