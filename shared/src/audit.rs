//! The audit log's one way in: a row beside each change, in the same transaction; and the proof that it stays whole.

mod chain;

use chrono::{DateTime, Utc};
use sea_orm::{ActiveEnum, ActiveValue::NotSet, ConnectionTrait, DbErr, EntityTrait, IntoActiveModel};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    entity::audit_log::{self, ActorKind},
    time::now,
};

pub use chain::{Verdict, seal, verify};

/// Who does something, and from where. A long job's payload carries it, for the audit rows to come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    #[serde(with = "kind_words")]
    pub kind: ActorKind,
    pub id: Option<i64>,
    /// What people know the actor by: a name, a key's hint.
    pub label: String,
    /// Whose place the actor has taken (impersonation).
    pub on_behalf_of: Option<i64>,
    pub address: Option<String>,
    pub request_id: Option<String>,
}

impl Actor {
    /// Usher itself: schedules, commands.
    #[must_use]
    pub fn system() -> Self {
        Self::new(ActorKind::System, None, "Usher")
    }

    #[must_use]
    pub fn new(kind: ActorKind, id: Option<i64>, label: impl Into<String>) -> Self {
        Self {
            kind,
            id,
            label: label.into(),
            on_behalf_of: None,
            address: None,
            request_id: None,
        }
    }

    /// Kind and id in one word, such as `api_key:7`, as jobs keep it.
    #[must_use]
    pub fn word(&self) -> String {
        let kind = kind_word(self.kind);
        self.id.map_or_else(|| kind.to_owned(), |id| format!("{kind}:{id}"))
    }
}

/// What was done to what.
#[derive(Clone, Debug, Default)]
pub struct Entry<'a> {
    /// A stable word, such as `create`, `update`, `login_failed`.
    pub action: &'a str,
    /// The table's singular, such as `user`.
    pub object_type: &'a str,
    pub object_id: Option<String>,
    pub object_label: Option<String>,
    /// `{"field": [before, after]}`; secrets must be masked by the caller.
    pub changes: Option<Value>,
    pub reason: Option<String>,
}

/// Adds a row. Call it with the transaction that makes the change.
pub async fn record(conn: &impl ConnectionTrait, actor: &Actor, entry: Entry<'_>) -> Result<(), DbErr> {
    let row = row(now(), actor, entry);
    audit_log::Entity::insert(row)
        .exec_without_returning(conn)
        .await
        .map(drop)
}

/// The row that [`record`] adds, as of `at`; for whoever inserts many at once.
#[must_use]
pub fn row(at: DateTime<Utc>, actor: &Actor, entry: Entry<'_>) -> audit_log::ActiveModel {
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
    audit_log::ActiveModel {
        id: NotSet,
        ..row.into_active_model()
    }
}

fn kind_word(kind: ActorKind) -> &'static str {
    match kind {
        ActorKind::User => "user",
        ActorKind::ApiKey => "api_key",
        ActorKind::System => "system",
        ActorKind::Anonymous => "anonymous",
    }
}

/// Kinds of actor in the words of the database.
mod kind_words {
    use super::{ActiveEnum, ActorKind, Deserialize, kind_word};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
    pub(super) fn serialize<S: serde::Serializer>(kind: &ActorKind, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(kind_word(*kind))
    }

    pub(super) fn deserialize<'a, D: serde::Deserializer<'a>>(from: D) -> Result<ActorKind, D::Error> {
        let word = String::deserialize(from)?;
        ActorKind::try_from_value(&word).map_err(serde::de::Error::custom)
    }
}
