//! What staff may do to a job. Each takes the caller's transaction, so that the audit row commits with it.

use sea_orm::{ActiveValue::Set, ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, sea_query::OnConflict};
use thiserror::Error;
use uuid::Uuid;

use super::{Hint, claims::READY, ledger::Tx, sql::Sql};
use crate::{
    db::{self, columns},
    entity::{job, job_queue},
    time::now,
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
    #[error(transparent)]
    Db(#[from] DbErr),
}

/// Runs a finished job again from its first attempt: from `dead`, `done` or `cancelled` to `ready`.
pub async fn replay(tx: &Tx, id: Uuid) -> Result<job::Model, StaffError> {
    let change = format!(
        "{READY}, attempt = 0, crashes = 0, finished_at = NULL, expires_at = NULL, cancel_requested = false, \
         progress = NULL, result = NULL, run_at = {now}, next_dispatch_at = {now}",
        now = Sql(tx.get_database_backend()).now()
    );
    let job = change_when(tx, id, &change, "'dead', 'done', 'cancelled'").await?;
    tx.remember(Hint::of(&job));
    Ok(job)
}

/// Lets a delayed job run at once.
pub async fn run_now(tx: &Tx, id: Uuid) -> Result<job::Model, StaffError> {
    let now = Sql(tx.get_database_backend()).now();
    let job = change_when(tx, id, &format!("run_at = {now}, next_dispatch_at = {now}"), "'ready'").await?;
    tx.remember(Hint::of(&job));
    Ok(job)
}

/// Ends a waiting job, or asks the worker of a running one to stop.
pub async fn cancel(tx: &Tx, id: Uuid) -> Result<job::Model, StaffError> {
    let change = format!(
        "cancel_requested = true, finished_at = CASE WHEN state = 'ready' THEN {now} END, \
         state = CASE WHEN state = 'ready' THEN 'cancelled' ELSE state END",
        now = Sql(tx.get_database_backend()).now()
    );
    change_when(tx, id, &change, "'ready', 'running'").await
}

/// Takes a finished job out of the ledger, with its attempts.
pub async fn delete(tx: &Tx, id: Uuid) -> Result<(), StaffError> {
    let finished = [job::JobState::Done, job::JobState::Dead, job::JobState::Cancelled];
    let deleted = job::Entity::delete_many()
        .filter(job::Column::Id.eq(id))
        .filter(job::Column::State.is_in(finished))
        .exec(&**tx)
        .await?;
    if deleted.rows_affected == 1 {
        return Ok(());
    }
    Err(match job::Entity::find_by_id(id).one(&**tx).await? {
        Some(job) => StaffError::WrongState(word(job.state)),
        None => StaffError::NotFound,
    })
}

/// Pauses a queue in somebody's name, or lets it run again: its jobs wait, those that run go on.
pub async fn pause_queue(tx: &Tx, name: &str, by: Option<String>) -> Result<(), DbErr> {
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

async fn change_when(tx: &Tx, id: Uuid, change: &str, states: &str) -> Result<job::Model, StaffError> {
    let row = columns::<job::Entity>();
    let query = format!("UPDATE jobs SET {change} WHERE id = $1 AND state IN ({states}) RETURNING {row}");
    let statement = Sql(tx.get_database_backend()).statement(&query, [id.into()]);
    match job::Entity::find().from_raw_sql(statement).one(&**tx).await {
        Ok(Some(job)) => Ok(job),
        Ok(None) => Err(match job::Entity::find_by_id(id).one(&**tx).await? {
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
