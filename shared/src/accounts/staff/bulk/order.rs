//! Ordering a bulk action.

use chrono::{DateTime, Utc};
use sea_orm::{
    ConnectionTrait, DatabaseTransaction, DbBackend, DbErr,
    sea_query::{Expr, OnConflict, Query, SelectStatement, SimpleExpr},
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use thiserror::Error;
use uuid::Uuid;

use super::own::OwnAction;
use crate::{
    accounts::staff::policy::{Act, Holder, ReasonRule, Refusal},
    audit::{self, Actor, Entry, ObjectType},
    foundation::{
        entity::{audit_log::ActorKind, job_item},
        rules::Reason,
    },
    jobs::{EnqueueError, EnqueueOptions, Job, LONG_QUEUE, Priority, Tx, enqueue_with},
};

/// The action on each row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "snake_case")]
pub enum BulkAction {
    /// Without an end, until somebody unlocks the account.
    LockUsers {
        until: Option<DateTime<Utc>>,
    },
    UnlockUsers,
    DeactivateUsers,
    ReactivateUsers,
    /// Mails a new link to users whose address is not verified.
    ResendVerification,
    /// Mails a link that sets a new password.
    SendPasswordReset,
    ReplayJobs,
    RunJobsNow,
    CancelJobs,
    /// Only finished ones.
    DeleteJobs,
    /// Allows mail to the addresses again.
    DeleteSuppressions,
    /// One of the product's own.
    Own {
        name: OwnAction,
    },
}

impl BulkAction {
    /// The act on one row, whose rule says who may do it; none for the product's own.
    #[must_use]
    pub const fn act(self) -> Option<Act> {
        Some(match self {
            Self::LockUsers { .. } => Act::LockUser,
            Self::UnlockUsers => Act::UnlockUser,
            Self::DeactivateUsers => Act::DeactivateUser,
            Self::ReactivateUsers => Act::ReactivateUser,
            Self::ResendVerification => Act::ResendVerification,
            Self::SendPasswordReset => Act::SendPasswordReset,
            Self::ReplayJobs => Act::RetryJob,
            Self::RunJobsNow => Act::RunJobNow,
            Self::CancelJobs => Act::CancelJob,
            Self::DeleteJobs => Act::DeleteJob,
            Self::DeleteSuppressions => Act::DeleteSuppression,
            Self::Own { .. } => return None,
        })
    }

    /// The permission that a person needs.
    #[must_use]
    pub fn permission(self) -> &'static str {
        match (self, self.act()) {
            (Self::Own { name }, _) => name.0.permission,
            (_, act) => act.map_or("", |act| act.rule().permission),
        }
    }

    /// Why this actor may not order it, if they may not.
    pub(super) fn refusal(self, holder: &Holder) -> Option<Refusal> {
        match self.act() {
            Some(act) => holder.refuses(act),
            None => (!holder.may(self.permission())).then(|| Refusal::Permission(self.permission())),
        }
    }

    /// The type of the object in the audit log.
    pub(super) fn object_type(self) -> &'static str {
        match (self, self.act()) {
            (Self::Own { name }, _) => name.0.object_type,
            (_, act) => act.map_or("", |act| act.rule().object.as_str()),
        }
    }

    /// The action in the audit log.
    pub(super) fn word(self) -> &'static str {
        match (self, self.act()) {
            (Self::Own { name }, _) => name.0.word,
            (_, act) => act.map_or("", |act| act.rule().word),
        }
    }

    /// The plural of what it acts on.
    const fn objects(self) -> &'static str {
        match self {
            Self::Own { name } => name.0.objects,
            Self::ReplayJobs | Self::RunJobsNow | Self::CancelJobs | Self::DeleteJobs => "jobs",
            Self::DeleteSuppressions => "suppressed addresses",
            _ => "users",
        }
    }
}

/// The rows of a long job.
#[derive(Clone, Debug)]
pub enum Objects {
    /// Users and audit rows, by their ids.
    Ids(Vec<i64>),
    /// Jobs and mails, by theirs.
    Uuids(Vec<Uuid>),
    /// All that match a filter now: a select of one column, `id`.
    Select(Box<SelectStatement>),
}

/// The payload of the job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BulkJob {
    pub what: BulkAction,
    pub reason: Option<String>,
    pub actor: Actor,
}

impl Job for BulkJob {
    const KIND: &'static str = "bulk_action";
    const QUEUE: &'static str = LONG_QUEUE;
    const PRIORITY: Priority = Priority::Low;
}

/// A long job that was enqueued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ordered {
    pub job_id: Uuid,
    /// How many rows it has.
    pub rows: u64,
}

/// Why it was not enqueued.
#[derive(Debug, Error)]
pub enum OrderError {
    #[error(transparent)]
    Db(#[from] DbErr),
    #[error(transparent)]
    Enqueue(#[from] EnqueueError),
    #[error(transparent)]
    Refused(#[from] Refusal),
}

/// Enqueues the action: the job, the rows that match now, and one audit row. What the actor may do to each row is
/// checked when the job gets to it.
///
/// One statement writes the rows, however many match; a million take about three seconds.
pub async fn order(
    tx: &Tx,
    what: BulkAction,
    objects: Objects,
    reason: Option<Reason>,
    actor: &Actor,
) -> Result<Ordered, OrderError> {
    if let Some(refusal) = what.refusal(&Holder::of(&**tx, actor).await?) {
        return Err(refusal.into());
    }
    let is_required = what.act().is_some_and(|act| act.rule().reason == ReasonRule::Required);
    let must_say_why = actor.kind == ActorKind::User && is_required;
    if must_say_why && reason.is_none() {
        return Err(Refusal::Reason.into());
    }
    let reason = reason.map(Reason::into_text);
    let job = BulkJob {
        what,
        reason: reason.clone(),
        actor: actor.clone(),
    };
    let options = EnqueueOptions::by(actor);
    let job_id = enqueue_with(tx, job, options).await?.id();
    let rows = list(tx, job_id, objects).await?;
    let label = format!("{} {rows} {}", what.word(), what.objects());
    let entry = Entry {
        changes: Some(json!({ "rows": [null, rows] })),
        reason,
        ..Entry::about(ObjectType::Job, job_id, label, "bulk")
    };
    audit::record(&**tx, actor, entry).await?;
    Ok(Ordered { job_id, rows })
}

/// Stores the rows of a long job; returns how many.
pub(crate) async fn list(tx: &Tx, job_id: Uuid, objects: Objects) -> Result<u64, DbErr> {
    let words = match objects {
        Objects::Ids(ids) => ids.iter().map(ToString::to_string).collect(),
        Objects::Uuids(ids) => ids.iter().map(ToString::to_string).collect(),
        Objects::Select(select) => return list_selected(tx, job_id, *select).await,
    };
    let mut rows = 0;
    for words in chunks(words) {
        let mut insert = items_insert();
        for word in words {
            insert.values_panic([job_id.into(), word.into()]);
        }
        rows += tx.execute(&insert).await?.rows_affected();
    }
    Ok(rows)
}

async fn list_selected(tx: &Tx, job_id: Uuid, select: SelectStatement) -> Result<u64, DbErr> {
    let selected = Query::select()
        .expr(Expr::value(job_id))
        .expr(id_as_text(tx.get_database_backend()))
        .from_subquery(select, "chosen")
        // Without this SQLite takes the ON of the upsert for a join's.
        .and_where(Expr::value(true))
        .to_owned();
    let mut insert = items_insert();
    insert
        .select_from(selected)
        .map_err(|error| DbErr::Custom(error.to_string()))?;
    // Many millions of rows may take longer than the time limit of a statement.
    let tx: &DatabaseTransaction = tx;
    Ok(tx.execute(&insert).await?.rows_affected())
}

fn items_insert() -> sea_orm::sea_query::InsertStatement {
    Query::insert()
        .into_table(job_item::Entity)
        .columns([job_item::Column::JobId, job_item::Column::ObjectId])
        .on_conflict(OnConflict::new().do_nothing().to_owned())
        .to_owned()
}

/// Ids that fit in one statement.
fn chunks(mut words: Vec<String>) -> impl Iterator<Item = Vec<String>> {
    std::iter::from_fn(move || {
        let rest = words.split_off(words.len().min(5_000));
        let chunk = std::mem::replace(&mut words, rest);
        (!chunk.is_empty()).then_some(chunk)
    })
}

/// SQLite stores UUIDs as 16 bytes; people and PostgreSQL write them with hyphens.
fn id_as_text(backend: DbBackend) -> SimpleExpr {
    Expr::cust(match backend {
        DbBackend::Postgres => "CAST(id AS text)",
        _ => {
            "CASE typeof(id) WHEN 'blob' THEN lower(substr(hex(id), 1, 8) || '-' || substr(hex(id), 9, 4) || '-' || \
             substr(hex(id), 13, 4) || '-' || substr(hex(id), 17, 4) || '-' || substr(hex(id), 21)) \
             ELSE CAST(id AS text) END"
        }
    })
}
