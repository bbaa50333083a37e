//! The error codes of the API: Usher's are the entries of the table at the end, and a product declares its own. The
//! OpenAPI document lists them, errors carry their texts, and `/problems/{code}` explains them from here.

use std::fmt;

use axum::http::{HeaderName, StatusCode};
use serde::{Serialize, Serializer};

/// What went wrong, as a stable word that clients match on.
///
/// ```
/// use usher_api::Code;
///
/// const TICKET_CLOSED: Code = Code::new(
///     "ticket_closed",
///     409,
///     "Ticket closed",
///     "The ticket is closed",
///     "A closed ticket can't be changed. Open it again with `POST /tickets/{id}/reopen`.",
/// );
/// assert_eq!(TICKET_CLOSED.status(), 409);
/// ```
///
/// Register it with [`ApiExtension::codes`](crate::ApiExtension::codes), so that the document and `/problems` have it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Code {
    word: &'static str,
    status: u16,
    title: &'static str,
    detail: &'static str,
    explanation: &'static str,
    /// The header that every occurrence has.
    header: Option<(&'static str, &'static str)>,
}

impl Code {
    /// A code of a product: its word on the wire, its status (400 to 599), a title, what is said of an occurrence, and
    /// what happened and what to do, for the page `/problems/{word}`. Backquotes mark code there.
    ///
    /// # Panics
    ///
    /// Where the status is not one of an error; in a constant that is an error of the compiler.
    #[must_use]
    pub const fn new(
        word: &'static str,
        status: u16,
        title: &'static str,
        detail: &'static str,
        explanation: &'static str,
    ) -> Self {
        assert!(status >= 400 && status <= 599, "an error's status is 400 to 599");
        Self {
            word,
            status,
            title,
            detail,
            explanation,
            header: None,
        }
    }

    /// Gives every occurrence this header. The name is in lower case.
    #[must_use]
    pub const fn with_header(self, name: &'static str, value: &'static str) -> Self {
        Self {
            header: Some((name, value)),
            ..self
        }
    }

    /// Usher's code of this word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|code| code.word == word)
    }

    /// The word on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.word
    }

    /// The status of the answer.
    #[must_use]
    pub fn status(self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// The same few words for every occurrence (RFC 9457 §3.1.3).
    #[must_use]
    pub const fn title(self) -> &'static str {
        self.title
    }

    /// The `detail` of the default face where the occurrence adds nothing of its own.
    #[must_use]
    pub const fn detail(self) -> &'static str {
        self.detail
    }

    /// What happened and what to do, for the page at [`Code::path`].
    #[must_use]
    pub const fn explanation(self) -> &'static str {
        self.explanation
    }

    /// The header that every occurrence has.
    pub(super) fn header(self) -> Option<(HeaderName, &'static str)> {
        self.header.map(|(name, value)| (HeaderName::from_static(name), value))
    }

    /// The path of its explanation, under the API's own.
    #[must_use]
    pub fn path(self) -> String {
        format!("/problems/{}", self.word)
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word)
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.word)
    }
}

/// `NAME = "word", STATUS, "title", "detail", "explanation"`, and a header where every occurrence has the same.
macro_rules! codes {
    ($($name:ident = $word:literal, $status:ident, $title:literal, $detail:literal, $explanation:literal
        $(, $header:literal: $value:literal)?;)*) => {
        /// The codes that Usher answers with.
        impl Code {
            $(
                #[doc = concat!("`", $word, "`: ", $explanation)]
                pub const $name: Self =
                    Self::new($word, StatusCode::$status.as_u16(), $title, $detail, $explanation)
                        $(.with_header($header, $value))?;
            )*

            /// Every code of Usher, in alphabetical order.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];
        }
    };
}

codes! {
    ANSWER_NOT_KEPT = "answer_not_kept", CONFLICT,
        "Response not kept",
        "The first request was carried out, but its response held a secret that is shown only once",
        "A request with this `Idempotency-Key` was carried out before. Its response held a secret; secrets aren't \
        stored, so it can't be sent again, and nothing was done this time. `Location`, where there is one, points to \
        what was created. If you never received the secret, replace it: rotate the API key, or sign in again with a \
        new `Idempotency-Key`.";
    API_KEY_NOT_FOUND = "api_key_not_found", NOT_FOUND,
        "API key not found",
        "API key not found",
        "No API key has this id. `GET /api-keys` lists them all.";
    API_KEY_REVOKED = "api_key_revoked", CONFLICT,
        "API key is revoked",
        "This API key is revoked; create a new one",
        "A revoked API key stays in the list but can't be changed or rotated. Create a new one.";
    AUTHENTICATION_REQUIRED = "authentication_required", UNAUTHORIZED,
        "Credential required",
        "Not authenticated: send an access token or an API key as `Authorization: Bearer …`",
        "The operation needs a credential and the request has none. Send it in the header `Authorization: Bearer …`: \
        a user's access token (`uat_…`) from `POST /auth/login`, or an API key (`uak_…`) that staff create with \
        `usher key create`. Credentials in the URL are ignored.",
        "www-authenticate": r#"Bearer realm="usher""#;
    BODY_NOT_TEXT = "body_not_text", BAD_REQUEST,
        "Body is not text",
        "The body is not valid UTF-8",
        "The body is declared as JSON but is not valid UTF-8. JSON is always UTF-8 (RFC 8259 §8.1): encode the body \
        again, and check that nothing on the way splits characters.";
    BODY_TIMED_OUT = "body_timed_out", REQUEST_TIMEOUT,
        "Body not received",
        "The body didn't arrive in time",
        "The body wasn't received whole in time: 12 seconds, or five minutes for a file. Nothing was done. Check the \
        connection and send the request again.";
    BODY_TOO_LARGE = "body_too_large", PAYLOAD_TOO_LARGE,
        "Body too large",
        "The body is larger than 256 KiB",
        "The body is larger than 256 KiB. Send less, or split the work into several requests.";
    EMAIL_EXISTS = "email_exists", CONFLICT,
        "Email already registered",
        "Email already registered",
        "Another user has this email address; upper and lower case count as the same. Look that user up instead, or \
        use another address.";
    EMAIL_NOT_VERIFIED = "email_not_verified", FORBIDDEN,
        "Email not confirmed",
        "Confirm your email address first: open the link we mailed you",
        "The password is right, but the email address isn't confirmed yet. Open the link in the email, or request \
        another at `POST /auth/verify-email/resend`.";
    EVENTS_REMOVED = "events_removed", GONE,
        "Events removed",
        "Events after this position were removed because of their age",
        "You ask for events after a position that is older than the oldest one kept, so some that you haven't seen are \
        gone. Read the objects themselves again, such as with `GET /users`, and then follow events without `after`.";
    FILE_TOO_LARGE = "file_too_large", PAYLOAD_TOO_LARGE,
        "File too large",
        "The file is larger than this operation takes",
        "Each operation that takes a file says in its description how large the file can be. Send a smaller one.";
    HEADERS_TOO_LARGE = "headers_too_large", REQUEST_HEADER_FIELDS_TOO_LARGE,
        "Headers too large",
        "The headers are larger than 16 KiB",
        "Names and values of all headers together can have 16 KiB. Send fewer or shorter ones; cookies aren't needed \
        here.";
    IDEMPOTENCY_IN_PROGRESS = "idempotency_in_progress", CONFLICT,
        "Still running",
        "A request with this `Idempotency-Key` is still running; wait as long as `Retry-After` says",
        "The first request with this `Idempotency-Key` hasn't finished. Send it again after the seconds in \
        `Retry-After` to get its response. If the process that ran it has died, the key is free after 60 seconds.",
        "retry-after": "1";
    IDEMPOTENCY_KEY_REUSED = "idempotency_key_reused", UNPROCESSABLE_ENTITY,
        "Idempotency-Key used before",
        "This `Idempotency-Key` was used for another request",
        "This `Idempotency-Key` came with another body, query or precondition within the last 24 hours. Nothing was \
        done. Use a new key, such as a random UUID, for each operation, and the same one only to repeat it unchanged.";
    INSUFFICIENT_SCOPE = "insufficient_scope", FORBIDDEN,
        "Scope missing",
        "The credential lacks the scope for this",
        "The credential is valid but lacks the scope that the operation needs; `WWW-Authenticate` names it. Use an API \
        key that has the scope. A user's access token has no scopes: use it for `/me` and the like.";
    INTERNAL_ERROR = "internal_error", INTERNAL_SERVER_ERROR,
        "Internal error",
        "Internal Server Error",
        "Something failed, and the request is not to blame. Try again later; if it keeps happening, give the operator \
        the `request_id`, under which the cause is logged.";
    INVALID_CREDENTIAL = "invalid_credential", UNAUTHORIZED,
        "Credential not valid",
        "The credential is unknown, expired, revoked or not allowed from your address",
        "The credential is mistyped, unknown, expired, revoked, or not allowed from the address it came from; the \
        answer doesn't say which. Refresh an access token; check that you copied an API key whole, `uak_` included, or \
        create a new one.",
        "www-authenticate": r#"Bearer realm="usher", error="invalid_token""#;
    INVALID_REQUEST = "invalid_request", UNPROCESSABLE_ENTITY,
        "Request not valid",
        "The request is not valid; `errors` lists what to correct",
        "One or more values of the request are not valid. All errors are listed at once: `loc` (or `pointer`) says \
        where, `msg` (or `detail`) says what to do. Correct them and send the request again.";
    LOGIN_FAILED = "login_failed", UNAUTHORIZED,
        "Sign-in refused",
        "Wrong email or password, or the account can't sign in",
        "No account has this email and password, or the account is locked or deactivated; the response doesn't say \
        which. Check both, or set a new password with `POST /auth/password-reset`.",
        "www-authenticate": r#"Bearer realm="usher""#;
    METHOD_NOT_ALLOWED = "method_not_allowed", METHOD_NOT_ALLOWED,
        "Method not allowed",
        "Method Not Allowed",
        "The address exists but doesn't support this method; `Allow` lists those it does.";
    MFA_CODE_INVALID = "mfa_code_invalid", UNAUTHORIZED,
        "Code not valid",
        "This code is wrong, expired or already used",
        "The codes of an authenticator app change every 30 seconds and work once; recovery codes work once. Check the \
        clock of the device and wait for the next code. A sign-in ends after five wrong codes: start again with the \
        password.",
        "www-authenticate": r#"Bearer realm="usher""#;
    MFA_FACTOR_NOT_FOUND = "mfa_factor_not_found", NOT_FOUND,
        "Second factor not found",
        "Second factor not found",
        "The account has no such second factor, or it is confirmed already. `GET /me/mfa` lists them.";
    MFA_NOT_ENABLED = "mfa_not_enabled", CONFLICT,
        "No second factor",
        "The account has no second factor",
        "Recovery codes replace a second factor, and the account has none. Add one with `POST /me/mfa/totp` first.";
    NOT_FOUND = "not_found", NOT_FOUND,
        "Not found",
        "Not Found",
        "There is nothing at this URL. `/docs` lists every operation.";
    ORIGIN_REFUSED = "origin_refused", FORBIDDEN,
        "Origin refused",
        "Pages of this origin may not connect",
        "A browser sends the origin of the page with each WebSocket. Only pages of the API's own origin and of those in \
        `CORS_ORIGINS` may connect.";
    PASSWORD_WRONG = "password_wrong", FORBIDDEN,
        "Wrong password",
        "The password is not the one of this account",
        "The password is not the one of the signed-in user. Try again, or set a new one with `POST \
         /auth/password-reset`.";
    POSITION_UNKNOWN = "position_unknown", CONFLICT,
        "No such position",
        "There has been no such position in the stream of events yet",
        "You ask for events after a position that the stream hasn't reached. It is from another installation, or from \
        before the database was restored from a backup. Read the objects themselves again, and then follow events \
        without `after`.";
    PRECONDITION_FAILED = "precondition_failed", PRECONDITION_FAILED,
        "Changed in the meantime",
        "Changed since the version in `If-Match`; read it again",
        "`If-Match` names an older version: someone changed it since. Nothing was done. Read it again, check that your \
        change still makes sense, and send it with the new `ETag`.";
    RATE_LIMITED = "rate_limited", TOO_MANY_REQUESTS,
        "Too many requests",
        "Too many requests; wait as long as `Retry-After` says",
        "The rate limit is used up: the API key's own, or your address's without one. Wait the seconds in \
        `Retry-After`. Every answer has `RateLimit-Policy` and `RateLimit` with the limit and what is left, so that \
        clients can slow down in time.";
    REAUTHENTICATION_REQUIRED = "reauthentication_required", UNAUTHORIZED,
        "Password needed again",
        "Confirm your password to continue",
        "The operation needs a password confirmed within the last five minutes, so that a borrowed device is not \
        enough. Send the password to `POST /auth/reauthenticate`, then try again with the same access token.",
        // RFC 9470 §3
        "www-authenticate": r#"Bearer realm="usher", error="insufficient_user_authentication", max_age="300""#;
    SERVICE_UNAVAILABLE = "service_unavailable", SERVICE_UNAVAILABLE,
        "Service unavailable",
        "Service Unavailable",
        "Something the operation needs, such as the database, doesn't answer. Try again after the seconds in \
        `Retry-After`. Nothing was changed, unless the connection broke while the change was being written: look it \
        up, or repeat the request with the same `Idempotency-Key`.",
        "retry-after": "5";
    SESSION_NOT_FOUND = "session_not_found", NOT_FOUND,
        "Session not found",
        "Session not found",
        "The user has no such session, or it has ended.";
    SIGN_UP_CLOSED = "sign_up_closed", FORBIDDEN,
        "Sign-up is closed",
        "Sign-up is closed here; ask for an invitation",
        "People can't create accounts themselves here (`SIGN_UP=closed`). A service with an API key can create them \
        with `POST /users`.";
    STAFF_PROTECTED = "staff_protected", FORBIDDEN,
        "Staff account",
        "Staff accounts can only be changed in the admin",
        "This is a staff account. API keys can't change or delete those, because a key that can change an \
        administrator's address could take over the account. Use the admin.";
    STATUS_CONFLICT = "status_conflict", CONFLICT,
        "Status does not allow it",
        "The user's status does not allow this",
        "A deactivated user can't be locked or unlocked, and a locked one can't be reactivated: reactivate the first, \
        unlock the second. `GET /users/{id}` shows the status. A deleted user keeps its external id until its data is \
        removed after 30 days.";
    SUPERUSER_REQUIRED = "superuser_required", FORBIDDEN,
        "Superuser required",
        "Only a superuser can do this",
        "The operation is for superusers signed in as themselves, with their second factor where the installation \
        requires it of staff (`STAFF_MFA`). API keys can't do it, so that a key can't create keys.";
    TIMED_OUT = "timed_out", SERVICE_UNAVAILABLE,
        "Took too long",
        "Service Unavailable",
        "The operation took longer than 15 seconds and was stopped before it changed anything. Try again later.",
        "retry-after": "5";
    TOKEN_EXPIRED = "token_expired", GONE,
        "Token expired",
        "The token has expired; request a new one",
        "The token was valid but has expired. Request a new one where this one came from.";
    TOKEN_INVALID = "token_invalid", BAD_REQUEST,
        "Token not valid",
        "The token is unknown, already used or replaced by a newer one",
        "The token is mistyped, already used, replaced by a newer one, or ended by something that happened since, such \
        as a new password. Use the newest one, or request another.";
    TOO_MANY_FACTORS = "too_many_factors", CONFLICT,
        "Too many second factors",
        "The account has five second factors, which is the limit",
        "An account can have five second factors. Remove one you no longer use with `DELETE /me/mfa/{id}`.";
    TOO_MANY_STREAMS = "too_many_streams", TOO_MANY_REQUESTS,
        "Too many streams",
        "This session has 32 streams open, which is the limit",
        "A session can have 32 streams of events open at once. Close those that you no longer read.",
        "retry-after": "5";
    UNSUPPORTED_CONTENT_CODING = "unsupported_content_coding", UNSUPPORTED_MEDIA_TYPE,
        "Content coding not supported",
        "The body is compressed; send it without Content-Encoding",
        "The body has a `Content-Encoding` such as `gzip` or `br`. Send it without one, as `Accept-Encoding` in the \
        response says (RFC 7694).",
        "accept-encoding": "identity";
    UNSUPPORTED_MEDIA_TYPE = "unsupported_media_type", UNSUPPORTED_MEDIA_TYPE,
        "Media type not supported",
        "The operation does not support this Content-Type",
        "The operation doesn't support the body's `Content-Type`; `Accept-Patch` or `Accept-Post` in the response \
        lists those it does. Changes are JSON merge patches (RFC 7396), not JSON patches (RFC 6902).";
    UPGRADE_REQUIRED = "upgrade_required", UPGRADE_REQUIRED,
        "WebSocket required",
        "This address is a WebSocket; connect with ws:// or wss://",
        "The address takes WebSocket connections (RFC 6455) alone. To follow events without one, use `GET /events`.",
        "upgrade": "websocket";
    URI_TOO_LONG = "uri_too_long", URI_TOO_LONG,
        "URL too long",
        "The URL is longer than 8 KiB",
        "Path and query together can have 8 KiB. Shorten them; filters are rarely that long.";
    USER_NOT_FOUND = "user_not_found", NOT_FOUND,
        "User not found",
        "User not found",
        "No user has this id, or the user was deleted.";
    USER_TOKEN_REQUIRED = "user_token_required", FORBIDDEN,
        "User required",
        "This is for signed-in users: send an access token as `Authorization: Bearer uat_…`",
        "The operation is about the signed-in user, and an API key has none. Send the access token from \
        `POST /auth/login`.";
    WEBHOOK_DISABLED = "webhook_disabled", CONFLICT,
        "Webhook is disabled",
        "The webhook is disabled; enable it first",
        "Nothing is sent to a disabled webhook. `disabled_reason` says why it is. Enable it with `POST \
        /webhooks/{id}/enable`.";
}
