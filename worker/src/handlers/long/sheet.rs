//! The columns of each export; none has secrets or the bodies of mails.

use chrono::{DateTime, Utc};
use sea_orm::{ActiveEnum, EntityTrait};
use serde_json::{Value, json};
use usher_shared::foundation::{
    entity::{audit_log, job, mail, user},
    time::{now, rfc3339},
};
use uuid::Uuid;

/// A column: its name, and its value in one row.
pub(super) type Column<M> = (&'static str, fn(&M) -> Value);

/// A table that can be exported in pages of its primary key.
pub(super) trait Sheet: EntityTrait<Model: Send + Sync> {
    type Id: Copy + Send + Sync + std::str::FromStr + Into<sea_orm::Value>;
    const ID: Self::Column;
    const COLUMNS: &'static [Column<Self::Model>];

    fn id(row: &Self::Model) -> Self::Id;
}

fn time(at: Option<DateTime<Utc>>) -> Value {
    at.map(rfc3339).into()
}

fn word(value: &impl ActiveEnum<Value = String>) -> Value {
    value.to_value().into()
}

impl Sheet for user::Entity {
    type Id = i64;
    const ID: user::Column = user::Column::Id;
    const COLUMNS: &'static [Column<user::Model>] = &[
        ("id", |row| row.id.into()),
        ("email", |row| row.email.as_str().into()),
        ("name", |row| row.name.as_str().into()),
        ("age", |row| row.age.into()),
        ("status", |row| word(&row.status_at(now()))),
        ("locked_until", |row| time(row.locked_until)),
        ("lock_reason", |row| json!(row.lock_reason)),
        ("external_id", |row| json!(row.external_id)),
        ("is_staff", |row| row.is_staff.into()),
        ("is_superuser", |row| row.is_superuser.into()),
        ("email_verified_at", |row| time(row.email_verified_at)),
        ("welcomed_at", |row| time(row.welcomed_at)),
        ("last_login_at", |row| time(row.last_login_at)),
        ("created_at", |row| time(Some(row.created_at))),
        ("updated_at", |row| time(Some(row.updated_at))),
        ("deleted_at", |row| time(row.deleted_at)),
    ];

    fn id(row: &user::Model) -> i64 {
        row.id
    }
}

impl Sheet for job::Entity {
    type Id = Uuid;
    const ID: job::Column = job::Column::Id;
    const COLUMNS: &'static [Column<job::Model>] = &[
        ("id", |row| row.id.to_string().into()),
        ("queue", |row| row.queue.as_str().into()),
        ("kind", |row| row.kind.as_str().into()),
        ("state", |row| word(&row.state)),
        ("priority", |row| row.priority.into()),
        ("run_at", |row| time(Some(row.run_at))),
        ("attempt", |row| row.attempt.into()),
        ("crashes", |row| row.crashes.into()),
        ("user_id", |row| row.user_id.into()),
        ("actor", |row| json!(row.actor)),
        ("trace_context", |row| json!(row.trace_context)),
        ("last_error", |row| json!(row.last_error)),
        ("created_at", |row| time(Some(row.created_at))),
        ("started_at", |row| time(row.started_at)),
        ("finished_at", |row| time(row.finished_at)),
    ];

    fn id(row: &job::Model) -> Uuid {
        row.id
    }
}

impl Sheet for mail::Entity {
    type Id = Uuid;
    const ID: mail::Column = mail::Column::Id;
    const COLUMNS: &'static [Column<mail::Model>] = &[
        ("id", |row| row.id.to_string().into()),
        ("job_id", |row| row.job_id.map(|id| id.to_string()).into()),
        ("kind", |row| row.kind.as_str().into()),
        ("user_id", |row| row.user_id.into()),
        ("to_address", |row| row.to_address.as_str().into()),
        ("subject", |row| row.subject.as_str().into()),
        ("state", |row| word(&row.state)),
        ("message_id", |row| row.message_id.as_str().into()),
        ("answer", |row| json!(row.answer)),
        ("created_at", |row| time(Some(row.created_at))),
        ("sent_at", |row| time(row.sent_at)),
    ];

    fn id(row: &mail::Model) -> Uuid {
        row.id
    }
}

impl Sheet for audit_log::Entity {
    type Id = i64;
    const ID: audit_log::Column = audit_log::Column::Id;
    const COLUMNS: &'static [Column<audit_log::Model>] = &[
        ("id", |row| row.id.into()),
        ("at", |row| time(Some(row.at))),
        ("actor_kind", |row| word(&row.actor_kind)),
        ("actor_id", |row| row.actor_id.into()),
        ("actor_label", |row| row.actor_label.as_str().into()),
        ("on_behalf_of", |row| row.on_behalf_of.into()),
        ("action", |row| row.action.as_str().into()),
        ("object_type", |row| row.object_type.as_str().into()),
        ("object_id", |row| json!(row.object_id)),
        ("object_label", |row| json!(row.object_label)),
        ("changes", |row| row.changes.clone().unwrap_or_default()),
        ("reason", |row| json!(row.reason)),
        ("address", |row| json!(row.address)),
        ("request_id", |row| json!(row.request_id)),
    ];

    fn id(row: &audit_log::Model) -> i64 {
        row.id
    }
}
