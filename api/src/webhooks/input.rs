//! What clients send.

use serde_json::{Value, json};
use usher_api_macros::FromFields;
use usher_shared::{
    events::EventType,
    foundation::rules::Violation,
    webhooks::{EndpointEdit, Networks, NewEndpoint, WebhookUrl},
};
use utoipa::openapi::{
    Schema,
    schema::{ArrayBuilder, SchemaFormat},
};

use crate::toolkit::{
    fields::{Field, Fields, Patch, Violations, string, strings},
    fixed::{Fixed, Sent},
    schema::text,
    values::{Integer, Text},
};

/// More types than this are a mistake.
const MAX_TYPES: usize = 50;

/// A new webhook.
#[derive(FromFields)]
#[schema(as = NewWebhook)]
pub(super) struct NewWebhookIn {
    #[schema(example = "https://example.org/webhooks")]
    url: WebhookUrl,
    #[schema(example = json!(["user.created", "user.deleted"]))]
    types: Types,
    /// For people.
    #[schema(example = "Newsletter")]
    description: Option<Text<0, 200>>,
}

/// What to change of a webhook; what is absent stays as it is (RFC 7396).
#[derive(FromFields)]
#[schema(as = WebhookPatch)]
pub(super) struct WebhookPatchIn {
    url: Patch<WebhookUrl>,
    types: Patch<Types>,
    description: Patch<Text<0, 200>>,
    #[schema(fixed = FIXED)]
    pub(super) fixed: Sent,
}

/// Fields of a webhook that a patch can't change.
const FIXED: &[Fixed] = &[
    Fixed::new("id", "Ids never change"),
    Fixed::new("status", "Use POST /webhooks/{id}/enable or /disable"),
    Fixed::new("disabled_reason", "It says why the webhook was disabled"),
    Fixed::new("public_key", "Use POST /webhooks/{id}/rotate"),
    Fixed::new("created_at", "It never changes"),
    Fixed::moving("failing_since"),
    Fixed::moving("paused_until"),
];

/// A place in the stream: as far as numbers of JSON are exact.
type Position = Integer<0, 9_007_199_254_740_991>;

/// Which events to send again.
#[derive(FromFields)]
#[schema(as = Replay)]
pub(super) struct ReplayIn {
    /// Those after this position: 0 for all there are.
    #[schema(example = 4711)]
    pub(super) after: Position,
    /// Not those after this one; without it, up to the newest.
    #[schema(example = 4800)]
    pub(super) through: Option<Position>,
}

/// Types of events, each once.
pub(super) struct Types(Vec<EventType>);

impl Types {
    fn parse(words: &[&str]) -> Result<Self, Violation> {
        if words.is_empty() || words.len() > MAX_TYPES {
            return Err(Violation::value(format!(
                "Name 1 to {MAX_TYPES} types, such as user.created or user.*"
            )));
        }
        let mut types: Vec<EventType> = vec![];
        for word in words {
            let before = types.len();
            types.extend(EventType::matching(word));
            if types.len() == before {
                let known: Vec<_> = EventType::all().map(EventType::as_str).collect();
                return Err(Violation::value(format!(
                    "There is no type {word}; use {}",
                    known.join(", ")
                )));
            }
        }
        Ok(Self(types))
    }
}

impl Field for Types {
    fn read(value: &Value, _: &Fields<'_>) -> Result<Self, Violations> {
        Ok(Self::parse(&strings(value)?)?)
    }

    fn schema() -> Schema {
        let about = "Types of events. `user.*` stands for all that there are of an object today, `*` for all; types \
            that a later release adds are not among them.";
        let item = text().min_length(Some(1)).build();
        let types = ArrayBuilder::new()
            .items(item)
            .min_items(Some(1))
            .max_items(Some(MAX_TYPES));
        types.description(Some(about)).build().into()
    }
}

impl Field for WebhookUrl {
    fn read(value: &Value, fields: &Fields<'_>) -> Result<Self, Violations> {
        let networks = Networks::from(fields.toolkit.config.webhook_networks.clone());
        Ok(Self::parse(string(value)?, &networks)?)
    }

    fn schema() -> Schema {
        let about = "Where events are sent: `https://`, to a host with a public address. An installation can allow \
            networks of its own, by `http://` too.";
        let uri = SchemaFormat::Custom("uri".to_owned());
        let url = text().format(Some(uri)).max_length(Some(2_048));
        url.description(Some(about)).build().into()
    }
}

impl From<NewWebhookIn> for NewEndpoint {
    fn from(body: NewWebhookIn) -> Self {
        Self {
            url: body.url,
            description: body.description.map(String::from).unwrap_or_default(),
            types: body.types.0,
        }
    }
}

impl From<WebhookPatchIn> for EndpointEdit {
    fn from(body: WebhookPatchIn) -> Self {
        Self {
            url: body.url.0,
            description: body.description.0.map(String::from),
            types: body.types.0.map(|types| types.0),
        }
    }
}
