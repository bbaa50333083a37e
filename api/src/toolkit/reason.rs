//! Why a stream or a connection ends.

use serde::{Serialize, Serializer};

/// Why a stream or a connection ends: the word for the client, and the code of a socket's close frame (RFC 6455 §7.4).
#[derive(Clone, Copy)]
pub(crate) struct Reason {
    pub(crate) word: &'static str,
    pub(crate) close_code: u16,
    pub(crate) about: &'static str,
}

/// `NAME = "word", close code, "what has happened";` for each.
macro_rules! reasons {
    ($($name:ident = $word:literal, $close_code:literal, $about:literal;)*) => {
        impl Reason {
            $(pub(crate) const $name: Self = Self { word: $word, close_code: $close_code, about: $about };)*

            /// Why connections end.
            pub(crate) const ALL: &[Self] = &[$(Self::$name),*];
        }
    };
}

reasons! {
    CREDENTIAL_ENDED = "credential_ended", 4401, "the key or the session ended or was changed";
    TOKEN_EXPIRED = "token_expired", 4401, "the access token's time is over; refresh it";
    SHUTTING_DOWN = "shutting_down", 1001, "the process is being stopped; another one answers";
    UNAVAILABLE = "unavailable", 1013, "something that it needs doesn't answer; connect again in a few seconds";
    AUTHENTICATION_REQUIRED = "authentication_required", 4401, "the first message was no `authenticate`, or none came";
    INVALID_CREDENTIAL = "invalid_credential", 4401, "the token is unknown, expired, revoked or not allowed from there";
    INVALID_MESSAGE = "invalid_message", 1003, "a message was not text";
    RATE_LIMITED = "rate_limited", 4429, "too many requests";
    TOO_MANY_STREAMS = "too_many_streams", 4429, "the session has as many streams as it can have";
    TOO_SLOW = "too_slow", 4408, "the client didn't read";
}

impl Reason {
    /// Why streams of server-sent events end.
    pub(crate) const OF_STREAMS: &[Self] = &[
        Self::CREDENTIAL_ENDED,
        Self::TOKEN_EXPIRED,
        Self::SHUTTING_DOWN,
        Self::UNAVAILABLE,
    ];
}

impl Serialize for Reason {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.word)
    }
}
