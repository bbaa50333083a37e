//! What staff may do to a job. Each takes the caller's transaction, so that the audit row commits with it.

use sea_orm::{
    ActiveValue::{Set, Unchanged},
    ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QuerySelect, TransactionTrait,
    sea_query::OnConflict,
};
use thiserror::Error;
use uuid::Uuid;

use super::{Job, WakeUp, claims::READY, job_store::Tx, sql::Sql};
use crate::{
    accounts::staff::{bulk::BulkJob, exports::ExportJob, imports::ImportUsers},
    audit::Actor,
    foundation::{
        db::{self, ANSWER_LIMIT, columns},
        entity::{job, job_queue},
        time::now,
    },
};

/// Why the job was left as it is.
#[derive(Debug, Error)]
pub enum StaffError {
    #[error("there is no such job")]
    NotFound,
    #[error("the job is {0}; that cannot be done to it now")]
    WrongState(&'static str),
    #[error("another job with the same unique key is ready or running")]
    NotUnique,
    #[error("its mail was sent, and is not sent a second time; nothing was done. Order a new mail instead")]
    MailSent,
    #[error("its queue {0} is paused; nothing was done. Resume the queue first")]
    Paused(String),
    #[error(transparent)]
    Db(#[from] DbErr),
}

/// Runs a finished job again from its first attempt: from `dead`, `done` or `cancelled` to `ready`. A job whose mail is out
/// would do nothing, so it is left alone.
///
/// The transaction is good for more after a refusal: PostgreSQL would give it up at the first error, so what may meet one
/// has a savepoint of its own.
pub async fn replay(tx: &Tx, id: Uuid) -> Result<job::Model, StaffError> {
    let change = format!(
        "{READY}, attempt = 0, crashes = 0, finished_at = NULL, expires_at = NULL, cancel_requested = false, \
         progress = NULL, result = NULL, run_at = {now}, next_dispatch_at = {now}",
        now = Sql(tx.get_database_backend()).now()
    );
    let point = db::within(ANSWER_LIMIT, tx.begin()).await?;
    let job = match change_when(&point, id, &change, CAN_RUN_AGAIN).await {
        Ok(job) => {
            point.commit().await?;
            job
        }
        Err(refused) => {
            point.rollback().await?;
            return Err(match refused {
                StaffError::WrongState("dead" | "done" | "cancelled") => StaffError::MailSent,
                refused => refused,
            });
        }
    };
    tx.remember(WakeUp::of(&job));
    Ok(job)
}

const CAN_RUN_AGAIN: &str = "state IN ('dead', 'done', 'cancelled') AND NOT EXISTS \
     (SELECT 1 FROM mails WHERE mails.job_id = jobs.id AND mails.state IN ('sent', 'kept'))";

/// As [`replay`], in somebody's name: what the job does over many rows is done with their rights and named after them,
/// not after whoever ordered it first. One statement more for such a job.
pub async fn replay_as(tx: &Tx, id: Uuid, actor: &Actor) -> Result<job::Model, StaffError> {
    let mut job = replay(tx, id).await?;
    if [BulkJob::KIND, ExportJob::KIND, ImportUsers::KIND].contains(&job.kind.as_str()) {
        job.payload["actor"] = serde_json::to_value(actor).map_err(|error| DbErr::Json(error.to_string()))?;
        job.actor = Some(actor.word());
        let row = job::ActiveModel {
            id: Unchanged(id),
            payload: Set(job.payload.clone()),
            actor: Set(job.actor.clone()),
            ..Default::default()
        };
        job::Entity::update(row).exec(&**tx).await?;
    }
    Ok(job)
}

/// The job, kept from changing until the transaction ends.
pub async fn find_for_change(tx: &Tx, id: Uuid) -> Result<Option<job::Model>, DbErr> {
    job::Entity::find_by_id(id).lock_exclusive().one(&**tx).await
}

/// Lets a delayed job run at once, unless its queue is paused.
pub async fn run_now(tx: &Tx, id: Uuid) -> Result<job::Model, StaffError> {
    let now = Sql(tx.get_database_backend()).now();
    let change = format!("run_at = {now}, next_dispatch_at = {now}");
    match change_when(&**tx, id, &change, CAN_RUN_NOW).await {
        Ok(job) => {
            tx.remember(WakeUp::of(&job));
            Ok(job)
        }
        Err(StaffError::WrongState("ready")) => {
            let job = job::Entity::find_by_id(id).one(&**tx).await?;
            Err(job.map_or(StaffError::NotFound, |job| StaffError::Paused(job.queue)))
        }
        Err(refused) => Err(refused),
    }
}

const CAN_RUN_NOW: &str = "state = 'ready' AND NOT EXISTS \
     (SELECT 1 FROM job_queues WHERE job_queues.name = jobs.queue AND job_queues.paused_at IS NOT NULL)";

/// Ends a waiting job, or asks the worker of a running one to stop.
pub async fn cancel(tx: &Tx, id: Uuid) -> Result<job::Model, StaffError> {
    let change = format!(
        "cancel_requested = true, finished_at = CASE WHEN state = 'ready' THEN {now} END, \
         state = CASE WHEN state = 'ready' THEN 'cancelled' ELSE state END",
        now = Sql(tx.get_database_backend()).now()
    );
    change_when(&**tx, id, &change, "state IN ('ready', 'running')").await
}

/// Takes a finished job out of the jobs table, with its attempts; answers what it was.
pub async fn delete(tx: &Tx, id: Uuid) -> Result<job::Model, StaffError> {
    let job = job::Entity::find_by_id(id).lock_exclusive().one(&**tx).await?;
    let job = job.ok_or(StaffError::NotFound)?;
    if matches!(job.state, job::JobState::Ready | job::JobState::Running) {
        return Err(StaffError::WrongState(word(job.state)));
    }
    job::Entity::delete_by_id(id).exec(&**tx).await?;
    Ok(job)
}

/// Whether a text can name a queue.
#[must_use]
pub fn is_queue_name(text: &str) -> bool {
    let is_word = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
    (1..=100).contains(&text.len()) && text.chars().all(is_word)
}

/// Whether staff have paused a queue, so that what is put into it waits.
pub async fn is_paused(conn: &impl ConnectionTrait, queue: &str) -> Result<bool, DbErr> {
    let row = job_queue::Entity::find_by_id(queue.to_owned()).one(conn).await?;
    Ok(row.is_some_and(|row| row.paused_at.is_some()))
}

/// Pauses a queue in somebody's name, or lets it run again: its jobs wait, those that run go on.
pub async fn pause_queue(tx: &Tx, name: &str, by: Option<String>) -> Result<(), DbErr> {
    let is_paused = job_queue::Entity::find_by_id(name.to_owned())
        .filter(job_queue::Column::PausedAt.is_not_null())
        .one(&**tx)
        .await?;
    if by.is_some() && is_paused.is_some() {
        // Who paused it first, and when, stays.
        return Ok(());
    }
    let row = job_queue::ActiveModel {
        name: Set(name.to_owned()),
        paused_at: Set(by.is_some().then(now)),
        paused_by: Set(by),
        ..Default::default()
    };
    let there = OnConflict::column(job_queue::Column::Name)
        .update_columns([job_queue::Column::PausedAt, job_queue::Column::PausedBy])
        .to_owned();
    job_queue::Entity::insert(row)
        .on_conflict(there)
        .exec_without_returning(&**tx)
        .await
        .map(drop)
}

async fn change_when(
    conn: &impl ConnectionTrait,
    id: Uuid,
    change: &str,
    when: &str,
) -> Result<job::Model, StaffError> {
    let row = columns::<job::Entity>();
    let query = format!("UPDATE jobs SET {change} WHERE id = $1 AND {when} RETURNING {row}");
    let statement = Sql(conn.get_database_backend()).statement(&query, [id.into()]);
    match job::Entity::find().from_raw_sql(statement).one(conn).await {
        Ok(Some(job)) => Ok(job),
        Ok(None) => Err(match job::Entity::find_by_id(id).one(conn).await? {
            Some(job) => StaffError::WrongState(word(job.state)),
            None => StaffError::NotFound,
        }),
        Err(error) if db::violated_unique(&error).is_some() => Err(StaffError::NotUnique),
        Err(error) => Err(error.into()),
    }
}

fn word(state: job::JobState) -> &'static str {
    match state {
        job::JobState::Ready => "ready",
        job::JobState::Running => "running",
        job::JobState::Done => "done",
        job::JobState::Dead => "dead",
        job::JobState::Cancelled => "cancelled",
    }
}
