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

use crate::{
    accounts::staff::policy::{Act, Holder, ReasonRule, Refusal},
    audit::{self, Actor, Entry},
    foundation::{
        entity::{audit_log::ActorKind, job_item},
        rules::Reason,
    },
    jobs::{EnqueueError, EnqueueOptions, Job, LONG_QUEUE, Priority, Tx, enqueue_with},
};

/// What is done to each row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "snake_case")]
pub enum BulkAction {
    /// Without an end until somebody unlocks the account.
    LockUsers {
        until: Option<DateTime<Utc>>,
    },
    UnlockUsers,
    DeactivateUsers,
    ReactivateUsers,
    /// Mails a new link to those whose address is not verified.
    ResendVerification,
    /// Mails a link that replaces the password.
    SendPasswordReset,
    ReplayJobs,
    RunJobsNow,
    CancelJobs,
    /// Finished ones alone.
    DeleteJobs,
    /// Lets mail go to the addresses again.
    DeleteSuppressions,
}

impl BulkAction {
    /// What is done to one row: the line of the table that says who may do it to which.
    #[must_use]
    pub const fn act(self) -> Act {
        match self {
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
        }
    }
}

impl BulkAction {
    /// Many of what it is done to.
    const fn objects(self) -> &'static str {
        match self {
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
    /// All that match a filter at this moment: a select of one column, `id`.
    Select(Box<SelectStatement>),
}

/// The payload of the job that does it.
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

/// A long job that was ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ordered {
    pub job_id: Uuid,
    /// Rows it will go through.
    pub rows: u64,
}

/// Why it was not.
#[derive(Debug, Error)]
pub enum OrderError {
    #[error(transparent)]
    Db(#[from] DbErr),
    #[error(transparent)]
    Enqueue(#[from] EnqueueError),
    #[error(transparent)]
    Refused(#[from] Refusal),
}

/// Orders the action: the job, its rows as they match now, and one audit row that says who ordered it. All of it exists
/// once the transaction commits. What the actor may do to each row is asked when the job comes to it.
///
/// One statement writes the rows, however many match: about three seconds for a million.
pub async fn order(
    tx: &Tx,
    what: BulkAction,
    objects: Objects,
    reason: Option<Reason>,
    actor: &Actor,
) -> Result<Ordered, OrderError> {
    let rule = what.act().rule();
    if let Some(refusal) = Holder::of(&**tx, actor).await?.refuses(what.act()) {
        return Err(refusal.into());
    }
    let must_say_why = actor.kind == ActorKind::User && rule.reason == ReasonRule::Required;
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
    let entry = Entry {
        action: "bulk",
        object_type: "job",
        object_id: Some(job_id.to_string()),
        object_label: Some(format!("{} {rows} {}", rule.word, what.objects())),
        changes: Some(json!({ "rows": [null, rows] })),
        reason,
    };
    audit::record(&**tx, actor, entry).await?;
    Ok(Ordered { job_id, rows })
}

/// Writes down the rows that a long job goes through; answers how many.
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
        // SQLite reads the ON of an upsert as a join's without this.
        .and_where(Expr::value(true))
        .to_owned();
    let mut insert = items_insert();
    insert
        .select_from(selected)
        .map_err(|error| DbErr::Custom(error.to_string()))?;
    // Many millions of rows may take longer than an answer is waited for.
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

/// SQLite keeps UUIDs as 16 bytes; people and PostgreSQL write them with hyphens.
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
