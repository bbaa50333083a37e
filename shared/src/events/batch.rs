//! Events as they are read and passed on.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use sea_orm::ActiveEnum;
use serde::Serialize;
use serde_json::value::RawValue;
use uuid::Uuid;

use super::event_type::object_type;
use crate::foundation::{entity::event, time::rfc3339};

/// An event of the stream.
#[derive(Debug)]
pub struct Recorded {
    /// Its place in the stream.
    pub position: i64,
    pub event_id: Uuid,
    /// Such as `user.created`.
    pub kind: String,
    /// The person it is about.
    pub user_id: Option<i64>,
    pub at: DateTime<Utc>,
    /// The event as readers get it: a JSON object.
    pub json: Arc<str>,
}

/// What readers get.
#[derive(Serialize)]
struct Envelope<'a> {
    id: Uuid,
    position: i64,
    r#type: &'a str,
    timestamp: String,
    object: ObjectOut<'a>,
    actor: ActorOut,
    request_id: Option<&'a str>,
    data: &'a RawValue,
}

#[derive(Serialize)]
struct ObjectOut<'a> {
    r#type: &'a str,
    id: &'a str,
    version: Option<i64>,
}

#[derive(Serialize)]
struct ActorOut {
    r#type: String,
    id: Option<i64>,
    on_behalf_of: Option<i64>,
}

impl TryFrom<event::Model> for Recorded {
    type Error = serde_json::Error;

    fn try_from(row: event::Model) -> Result<Self, Self::Error> {
        let envelope = Envelope {
            id: row.event_id,
            position: row.id,
            r#type: &row.kind,
            timestamp: rfc3339(row.at),
            object: ObjectOut {
                r#type: object_type(&row.kind),
                id: &row.object_id,
                version: row.object_version,
            },
            actor: ActorOut {
                r#type: row.actor_kind.to_value(),
                id: row.actor_id,
                on_behalf_of: row.on_behalf_of,
            },
            request_id: row.request_id.as_deref(),
            data: serde_json::from_str(&row.data)?,
        };
        Ok(Self {
            json: serde_json::to_string(&envelope)?.into(),
            position: row.id,
            event_id: row.event_id,
            user_id: row.user_id,
            at: row.at,
            kind: row.kind,
        })
    }
}

/// The events of a stretch of the stream, without those that a filter left out.
#[derive(Debug)]
pub struct Batch {
    /// The stretch begins after this position.
    pub after: i64,
    /// It ends with this one.
    pub through: i64,
    pub events: Vec<Recorded>,
}

impl Batch {
    /// No events, at this position.
    pub(super) fn none_at(position: i64) -> Self {
        Self {
            after: position,
            through: position,
            events: vec![],
        }
    }
}
