//! Writing audit rows.

use chrono::{DateTime, Utc};
use sea_orm::{ActiveEnum, ActiveValue::NotSet, ConnectionTrait, DbErr, EntityTrait, IntoActiveModel};
use serde_json::{Value, json};

use super::{actor::Actor, chain, object_type::ObjectType};
use crate::foundation::{crypto::hex, db::Sql, entity::audit_log, time::now};

/// What was done to what.
#[derive(Clone, Debug, Default)]
pub struct Entry<'a> {
    /// Stable, such as `create`, `update`, `login_failed`.
    pub action: &'a str,
    /// An [`ObjectType`](super::ObjectType) as text, or a product's own in the same style.
    pub object_type: &'a str,
    pub object_id: Option<String>,
    pub object_label: Option<String>,
    /// `{"field": [before, after]}`; secrets must be masked by the caller.
    pub changes: Option<Value>,
    pub reason: Option<String>,
}

impl<'a> Entry<'a> {
    /// An entry about one object, so far without changes and reason.
    #[must_use]
    pub fn about(object: ObjectType, id: impl ToString, label: impl Into<String>, action: &'a str) -> Self {
        Self {
            action,
            object_type: object.as_str(),
            object_id: Some(id.to_string()),
            object_label: Some(label.into()),
            ..Self::default()
        }
    }
}

/// Adds a row. Call it in the transaction that makes the change.
pub async fn record(conn: &impl ConnectionTrait, actor: &Actor, entry: Entry<'_>) -> Result<(), DbErr> {
    let row = row(now(), actor, entry);
    audit_log::Entity::insert(row)
        .exec_without_returning(conn)
        .await
        .map(drop)
}

/// Adds many rows as of `at` in one statement.
pub async fn record_all<'a>(
    conn: &impl ConnectionTrait,
    at: DateTime<Utc>,
    entries: impl IntoIterator<Item = (&'a Actor, Entry<'a>)>,
) -> Result<(), DbErr> {
    let rows = entries
        .into_iter()
        .map(|(actor, entry)| as_json(model(at, actor, entry)));
    let rows: Vec<Value> = rows.collect();
    if rows.is_empty() {
        return Ok(());
    }
    let sql = Sql(conn.get_database_backend());
    let values = [Value::from(rows).into(), at.into()];
    let statement = sql.statement(sql.pick(RECORD_POSTGRES, RECORD_SQLITE), values);
    conn.execute_raw(statement).await.map(drop)
}

// The rows are one parameter, so that the statement is the same for any number of rows.
const RECORD_POSTGRES: &str = "\
    INSERT INTO audit_log (at, actor_kind, actor_id, actor_label, on_behalf_of, action, object_type, object_id, \
    object_label, changes, reason, address, request_id, row_hash) \
    SELECT $2, r->>'actor_kind', (r->>'actor_id')::bigint, r->>'actor_label', (r->>'on_behalf_of')::bigint, \
    r->>'action', r->>'object_type', r->>'object_id', r->>'object_label', NULLIF(r->'changes', 'null'), r->>'reason', \
    r->>'address', r->>'request_id', decode(r->>'row_hash', 'hex') FROM jsonb_array_elements($1) r";
const RECORD_SQLITE: &str = "\
    INSERT INTO audit_log (at, actor_kind, actor_id, actor_label, on_behalf_of, action, object_type, object_id, \
    object_label, changes, reason, address, request_id, row_hash) \
    SELECT $2, value->>'actor_kind', value->>'actor_id', value->>'actor_label', value->>'on_behalf_of', \
    value->>'action', value->>'object_type', value->>'object_id', value->>'object_label', \
    NULLIF(value->'changes', 'null'), value->>'reason', value->>'address', value->>'request_id', \
    unhex(value->>'row_hash') FROM json_each($1)";

fn as_json(row: audit_log::Model) -> Value {
    let hash = hex(row.row_hash.as_deref().unwrap_or_default());
    json!({
        "actor_kind": row.actor_kind.to_value(), "actor_id": row.actor_id, "actor_label": row.actor_label,
        "on_behalf_of": row.on_behalf_of, "action": row.action, "object_type": row.object_type,
        "object_id": row.object_id, "object_label": row.object_label, "changes": row.changes, "reason": row.reason,
        "address": row.address, "request_id": row.request_id, "row_hash": hash,
    })
}

/// The row that [`record`] adds, as of `at`.
#[must_use]
pub fn row(at: DateTime<Utc>, actor: &Actor, entry: Entry<'_>) -> audit_log::ActiveModel {
    audit_log::ActiveModel {
        id: NotSet,
        ..model(at, actor, entry).into_active_model()
    }
}

fn model(at: DateTime<Utc>, actor: &Actor, entry: Entry<'_>) -> audit_log::Model {
    let mut row = audit_log::Model {
        id: 0,
        at,
        actor_kind: actor.kind,
        actor_id: actor.id,
        actor_label: actor.label.clone(),
        on_behalf_of: actor.on_behalf_of,
        action: entry.action.to_owned(),
        object_type: entry.object_type.to_owned(),
        object_id: entry.object_id,
        object_label: entry.object_label,
        changes: entry.changes,
        reason: entry.reason,
        address: actor.address.clone(),
        request_id: actor.request_id.clone(),
        row_hash: None,
    };
    row.row_hash = Some(chain::row_hash(&row).to_vec());
    row
}
