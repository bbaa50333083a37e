//! Events as the API shows them, for the document. `usher_shared::events` writes them.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

/// Something that happened to an object.
#[derive(Serialize, ToSchema)]
#[schema(as = Event)]
pub(super) struct EventOut {
    /// The same wherever the event is sent, so that receivers can tell that they have had it.
    #[schema(example = "019a9b8c-7d6e-7f50-8a1b-2c3d4e5f6a7b")]
    id: Uuid,
    /// Its place in the stream. Later events have greater positions; some positions are missing.
    #[schema(example = 4711)]
    position: i64,
    #[schema(example = "user.created")]
    r#type: String,
    #[schema(example = "2026-11-22T12:00:00.123456Z")]
    timestamp: DateTime<Utc>,
    object: ObjectOut,
    actor: ActorOut,
    /// The `X-Request-Id` of the request that caused it.
    #[schema(example = "019a9b8c-7d6e-7f50-8a1b-000000000000")]
    request_id: Option<String>,
    /// The object after the change, as its own operation shows it to callers who may see everything of it. Of a purged
    /// user only the id.
    #[schema(value_type = Object)]
    data: Value,
}

/// What it happened to.
#[derive(Serialize, ToSchema)]
#[schema(as = EventObject)]
struct ObjectOut {
    #[schema(example = "user")]
    r#type: String,
    #[schema(example = "7")]
    id: String,
    /// The object's version after the change, where it has versions; `ETag` shows it too.
    #[schema(example = 1)]
    version: Option<i64>,
}

/// Who did it.
#[derive(Serialize, ToSchema)]
#[schema(as = EventActor)]
struct ActorOut {
    r#type: ActorType,
    /// The id of the user or of the API key.
    #[schema(example = 3)]
    id: Option<i64>,
    /// The user whom staff impersonated.
    on_behalf_of: Option<i64>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[expect(dead_code, reason = "only describes what `usher_shared::events` writes")]
enum ActorType {
    User,
    ApiKey,
    /// A schedule or a command.
    System,
    Anonymous,
}

/// A part of the stream.
#[derive(Serialize, ToSchema)]
#[schema(as = Events)]
pub(super) struct EventsOut {
    data: Vec<EventOut>,
    /// For `after`, to go on: also where `data` is empty.
    #[schema(example = 4711)]
    next_after: i64,
    /// Whether there is more now. A page can be short, even empty, and have more.
    #[schema(example = false)]
    has_more: bool,
}
