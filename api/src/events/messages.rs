//! What is said over a stream or a socket besides events. The document of events is made from these types.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::{
    ToSchema,
    openapi::{RefOr, Schema, schema::ObjectBuilder},
};

use super::shape::EventOut;
use crate::toolkit::{code::Code, reason::Reason, schema::text};

/// What clients of a socket send.
#[derive(Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Request {
    /// Says who the client is, within ten seconds and before anything else. Not needed where the subprotocol has said
    /// it.
    Authenticate {
        /// An API key or an access token.
        #[schema(example = "uak_…")]
        token: String,
    },
    /// Asks for a part of the stream. A connection can have 32.
    Subscribe {
        /// How the client calls it: 1 to 64 bytes.
        #[schema(example = "new")]
        id: String,
        /// Only these types; `user.*` for all of an object. Without it, all that you may see.
        #[schema(example = json!(["user.created"]))]
        types: Option<Vec<String>>,
        /// Only what comes after this position. Without it, what happens from now on.
        #[schema(example = 4711, minimum = 0)]
        after: Option<i64>,
    },
    /// Wants no more of it.
    Unsubscribe {
        /// What the client called it.
        #[schema(example = "new")]
        id: String,
    },
}

/// What clients of a socket get.
#[derive(Serialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Reply<'a> {
    /// The client is known now.
    Authenticated,
    /// Events of this part follow.
    Subscribed {
        /// What the client called it.
        #[schema(example = "new")]
        id: &'a str,
        /// The position after which it begins.
        #[schema(example = 4711)]
        after: i64,
    },
    /// No more events of this part follow.
    Unsubscribed {
        /// What the client called it.
        #[schema(example = "new")]
        id: &'a str,
    },
    /// Something that happened.
    Event {
        /// The subscription that it is for.
        #[schema(example = "new")]
        id: &'a str,
        #[schema(value_type = EventOut)]
        event: &'a RawValue,
    },
    /// How far a subscription has come, every 20 seconds: go on there when you connect again.
    Position {
        /// What the client called it.
        #[schema(example = "new")]
        id: &'a str,
        #[schema(example = 4720)]
        position: i64,
    },
    /// The last message was not taken. The connection goes on.
    Error {
        /// The subscription that the message was about.
        #[schema(example = "new")]
        id: Option<&'a str>,
        #[schema(schema_with = refusals)]
        code: &'a str,
        /// What to correct.
        #[schema(example = "There is a subscription with this id; unsubscribe it first")]
        detail: &'a str,
    },
    /// The last message; a close frame follows.
    End {
        #[schema(schema_with = reasons_of_sockets)]
        reason: Reason,
    },
}

/// The last message of a stream; connect again.
#[derive(Serialize, ToSchema)]
pub(super) struct StreamEndOut {
    #[schema(schema_with = reasons_of_streams)]
    pub(super) reason: Reason,
}

/// Why a message of a client is not taken.
const REFUSALS: &[Code] = &[
    Code::INVALID_REQUEST,
    Code::INSUFFICIENT_SCOPE,
    Code::EVENTS_REMOVED,
    Code::POSITION_UNKNOWN,
    Code::SERVICE_UNAVAILABLE,
    Code::INTERNAL_ERROR,
];

fn refusals() -> RefOr<Schema> {
    let codes = REFUSALS.iter().map(|code| (code.as_str(), code.title().to_owned()));
    words("What is wrong; `/problems` explains each", codes)
}

fn reasons_of_sockets() -> RefOr<Schema> {
    let reasons = Reason::ALL.iter();
    words(
        "Why the connection ends, with the code of the close frame (RFC 6455 §7.4)",
        reasons.map(|reason| (reason.word, format!("{} ({})", reason.about, reason.close_code))),
    )
}

fn reasons_of_streams() -> RefOr<Schema> {
    let reasons = Reason::OF_STREAMS.iter();
    words(
        "Why the stream ends",
        reasons.map(|reason| (reason.word, reason.about.to_owned())),
    )
}

/// A word that is one of these, and what each means.
fn words(about: &str, words: impl Iterator<Item = (&'static str, String)>) -> RefOr<Schema> {
    let (words, meanings): (Vec<_>, Vec<_>) = words
        .map(|(word, meaning)| (word, format!("- `{word}`: {meaning}")))
        .unzip();
    let schema: ObjectBuilder = text()
        .enum_values(Some(words))
        .description(Some(format!("{about}:\n{}", meanings.join("\n"))));
    schema.into()
}
