//! Writing events.

use chrono::{DateTime, Utc};
use sea_orm::{ActiveEnum, ConnectionTrait, DbErr};
use serde::Serialize;
use serde_json::{Value, json};

use super::{event_type::EventType, signal};
use crate::{
    audit::Actor,
    foundation::{
        db::Sql,
        time::{new_id, now},
    },
};

/// The largest [`Event`], in bytes of its data as JSON: receivers of webhooks rarely take more.
pub const MAX_DATA_BYTES: usize = 64 * 1024;

/// Something that happened to an object.
///
/// ```
/// use serde_json::json;
/// use usher_shared::events::{Event, EventType};
///
/// const OPENED: EventType = EventType::new("ticket.opened", "tickets:read", "Somebody opened a ticket");
/// let event = Event::new(OPENED, 7, &json!({"id": 7, "subject": "The printer is on fire"})).user(3);
/// ```
#[derive(Debug)]
pub struct Event {
    kind: EventType,
    object_id: String,
    version: Option<i64>,
    user_id: Option<i64>,
    data: Result<String, serde_json::Error>,
}

impl Event {
    /// `data` is the object as the API shows it, without secrets: everyone with the type's scope sees it.
    pub fn new(kind: EventType, object_id: impl ToString, data: &impl Serialize) -> Self {
        Self {
            kind,
            object_id: object_id.to_string(),
            version: None,
            user_id: None,
            data: serde_json::to_string(data),
        }
    }

    /// The version of the object's row after the change.
    #[must_use]
    pub fn version(mut self, version: i64) -> Self {
        self.version = Some(version);
        self
    }

    /// The person it is about: the event is removed with their account.
    #[must_use]
    pub fn user(mut self, id: i64) -> Self {
        self.user_id = Some(id);
        self
    }

    fn row(self, actor: &Actor) -> Result<Value, DbErr> {
        let word = self.kind.as_str();
        let data = self
            .data
            .map_err(|error| DbErr::Json(format!("the data of {word}: {error}")))?;
        if data.len() > MAX_DATA_BYTES {
            let bytes = data.len();
            return Err(DbErr::Custom(format!(
                "the data of {word} has {bytes} bytes, more than {MAX_DATA_BYTES}: leave out what readers can ask for"
            )));
        }
        Ok(json!({
            "event_id": new_id().simple().to_string(), "type": word, "object_id": self.object_id,
            "object_version": self.version, "user_id": self.user_id, "actor_kind": actor.kind.to_value(),
            "actor_id": actor.id, "on_behalf_of": actor.on_behalf_of, "request_id": actor.request_id, "data": data,
        }))
    }
}

/// Adds an event. Call it in the transaction that makes the change, after the row is written: of two changes of one row
/// the later then has the later position.
pub async fn record(conn: &impl ConnectionTrait, actor: &Actor, event: Event) -> Result<(), DbErr> {
    record_all(conn, now(), [(actor, event)]).await
}

/// Adds events as of `at` in one statement, in this order. Without events it is the same statement, so that nobody can
/// tell from the time it takes.
pub async fn record_all<'a>(
    conn: &impl ConnectionTrait,
    at: DateTime<Utc>,
    events: impl IntoIterator<Item = (&'a Actor, Event)>,
) -> Result<(), DbErr> {
    let rows = events.into_iter().map(|(actor, event)| event.row(actor));
    let rows = rows.collect::<Result<Vec<Value>, _>>()?;
    let sql = Sql(conn.get_database_backend());
    let values = [Value::from(rows).into(), at.into()];
    let statement = sql.statement(sql.pick(POSTGRES, SQLITE), values);
    conn.execute_raw(statement).await?;
    signal::written();
    Ok(())
}

/// Adds an event and returns its position. Others see it only once the stream is complete up to it.
pub async fn record_one(conn: &impl ConnectionTrait, actor: &Actor, event: Event) -> Result<i64, DbErr> {
    let sql = Sql(conn.get_database_backend());
    let values = [Value::from(vec![event.row(actor)?]).into(), now().into()];
    let insert = format!("{} RETURNING id", sql.pick(POSTGRES, SQLITE));
    let row = conn.query_one_raw(sql.statement(&insert, values)).await?;
    signal::written();
    row.ok_or_else(|| DbErr::RecordNotInserted)?.try_get("", "id")
}

// The condition gives the transaction its number before the row gets its position, which `horizon.rs` relies on. It is
// always true.
const POSTGRES: &str = "\
    INSERT INTO events (event_id, at, type, object_id, object_version, user_id, actor_kind, actor_id, on_behalf_of, \
    request_id, data) \
    SELECT r.event_id, $2, r.type, r.object_id, r.object_version, r.user_id, r.actor_kind, r.actor_id, r.on_behalf_of, \
    r.request_id, r.data FROM jsonb_to_recordset($1) AS r(event_id uuid, type text, object_id text, \
    object_version bigint, user_id bigint, actor_kind text, actor_id bigint, on_behalf_of bigint, request_id text, \
    data text) WHERE pg_current_xact_id() IS NOT NULL";
const SQLITE: &str = "\
    INSERT INTO events (event_id, at, type, object_id, object_version, user_id, actor_kind, actor_id, on_behalf_of, \
    request_id, data) \
    SELECT unhex(value->>'event_id'), $2, value->>'type', value->>'object_id', value->>'object_version', \
    value->>'user_id', value->>'actor_kind', value->>'actor_id', value->>'on_behalf_of', value->>'request_id', \
    value->>'data' FROM json_each($1)";
