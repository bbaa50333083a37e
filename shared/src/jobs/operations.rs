//! Operations on a job: retry, run now, cancel, delete. Each takes the caller's transaction, so that the audit row
//! commits with it.

use sea_orm::{ActiveEnum, ConnectionTrait, DbErr, EntityTrait, QuerySelect, TransactionTrait};
use thiserror::Error;
use uuid::Uuid;

use super::{claims::READY, job_store::Tx, transport::WakeUp};
use crate::foundation::{
    db::{self, ANSWER_LIMIT, Sql, columns},
    entity::job::{self, JobState},
};

/// Why the job was left unchanged.
#[derive(Debug, Error)]
pub enum OperationError {
    #[error("there is no such job")]
    NotFound,
    #[error("the job is {}, which doesn't allow this", .0.to_value())]
    WrongState(JobState),
    #[error("another job with the same unique key is ready or running")]
    NotUnique,
    #[error("its email was already sent. Send a new one instead")]
    MailSent,
    #[error("its queue {0} is paused. Resume the queue first")]
    Paused(String),
    #[error(transparent)]
    Db(#[from] DbErr),
}

/// Runs a finished job again from its first attempt: from `dead`, `done` or `cancelled` to `ready`. A job whose mail
/// was sent would do nothing, so it is refused.
///
/// The transaction can still be used after a refusal: the statement runs in a savepoint, because PostgreSQL aborts a
/// transaction at its first error.
pub async fn retry(tx: &Tx, id: Uuid) -> Result<job::Model, OperationError> {
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
                OperationError::WrongState(JobState::Dead | JobState::Done | JobState::Cancelled) => {
                    OperationError::MailSent
                }
                refused => refused,
            });
        }
    };
    tx.remember(WakeUp::of(&job));
    Ok(job)
}

const CAN_RUN_AGAIN: &str = "state IN ('dead', 'done', 'cancelled') AND NOT EXISTS \
     (SELECT 1 FROM mails WHERE mails.job_id = jobs.id AND mails.state IN ('sent', 'kept'))";

/// The job, locked until the transaction ends.
pub async fn find_for_change(tx: &Tx, id: Uuid) -> Result<Option<job::Model>, DbErr> {
    job::Entity::find_by_id(id).lock_exclusive().one(&**tx).await
}

/// Makes a delayed job due now, unless its queue is paused.
pub async fn run_now(tx: &Tx, id: Uuid) -> Result<job::Model, OperationError> {
    let now = Sql(tx.get_database_backend()).now();
    let change = format!("run_at = {now}, next_dispatch_at = {now}");
    match change_when(&**tx, id, &change, CAN_RUN_NOW).await {
        Ok(job) => {
            tx.remember(WakeUp::of(&job));
            Ok(job)
        }
        Err(OperationError::WrongState(JobState::Ready)) => {
            let job = job::Entity::find_by_id(id).one(&**tx).await?;
            Err(job.map_or(OperationError::NotFound, |job| OperationError::Paused(job.queue)))
        }
        Err(refused) => Err(refused),
    }
}

const CAN_RUN_NOW: &str = "state = 'ready' AND NOT EXISTS \
     (SELECT 1 FROM job_queues WHERE job_queues.name = jobs.queue AND job_queues.paused_at IS NOT NULL)";

/// Cancels a waiting job, or asks the worker of a running one to stop.
pub async fn cancel(tx: &Tx, id: Uuid) -> Result<job::Model, OperationError> {
    let change = format!(
        "cancel_requested = true, finished_at = CASE WHEN state = 'ready' THEN {now} END, \
         state = CASE WHEN state = 'ready' THEN 'cancelled' ELSE state END",
        now = Sql(tx.get_database_backend()).now()
    );
    change_when(&**tx, id, &change, "state IN ('ready', 'running')").await
}

/// Deletes a finished job with its attempts, and returns it.
pub async fn delete(tx: &Tx, id: Uuid) -> Result<job::Model, OperationError> {
    let job = job::Entity::find_by_id(id).lock_exclusive().one(&**tx).await?;
    let job = job.ok_or(OperationError::NotFound)?;
    if matches!(job.state, JobState::Ready | JobState::Running) {
        return Err(OperationError::WrongState(job.state));
    }
    job::Entity::delete_by_id(id).exec(&**tx).await?;
    Ok(job)
}

async fn change_when(
    conn: &impl ConnectionTrait,
    id: Uuid,
    change: &str,
    when: &str,
) -> Result<job::Model, OperationError> {
    let row = columns::<job::Entity>();
    let query = format!("UPDATE jobs SET {change} WHERE id = $1 AND {when} RETURNING {row}");
    let statement = Sql(conn.get_database_backend()).statement(&query, [id.into()]);
    match job::Entity::find().from_raw_sql(statement).one(conn).await {
        Ok(Some(job)) => Ok(job),
        Ok(None) => Err(match job::Entity::find_by_id(id).one(conn).await? {
            Some(job) => OperationError::WrongState(job.state),
            None => OperationError::NotFound,
        }),
        Err(error) if db::violated_unique(&error).is_some() => Err(OperationError::NotUnique),
        Err(error) => Err(error.into()),
    }
}
