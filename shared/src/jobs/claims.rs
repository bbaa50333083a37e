//! Taking jobs and giving them back. Every step is a compare-and-set on the lease's token:
//! whoever lost the lease changes nothing.

use std::time::Duration;

use sea_orm::{ConnectionTrait, DbErr, EntityTrait, FromQueryResult, Value};
use thiserror::Error;
use uuid::Uuid;

use super::{JobStore, WakeUp, sql::Sql};
use crate::foundation::{
    db::{self, columns},
    entity::{
        job,
        job_attempt::{self, AttemptOutcome},
    },
};

/// The right to finish one job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim {
    pub id: Uuid,
    pub token: Uuid,
}

impl From<&Held> for Claim {
    fn from(held: &Held) -> Self {
        Self {
            id: held.id,
            token: held.lease_token,
        }
    }
}

impl Claim {
    /// The claim on a row that [`JobStore::claim`] returned.
    #[must_use]
    pub fn of(job: &job::Model) -> Self {
        Self {
            id: job.id,
            token: job.lease_token.unwrap_or_default(),
        }
    }
}

/// A lease as the jobs table knows it.
#[derive(Clone, Copy, Debug, FromQueryResult)]
pub struct Held {
    pub id: Uuid,
    pub lease_token: Uuid,
    pub cancel_requested: bool,
}

/// A finished attempt could not be written down.
#[derive(Debug, Error)]
pub enum CompleteError {
    /// The lease ran out and the job is somebody else's now.
    #[error("the lease of this job was lost")]
    Lost,
    #[error(transparent)]
    Db(#[from] DbErr),
}

/// An attempt that did not succeed.
#[derive(Clone, Debug)]
pub struct Failure {
    pub outcome: AttemptOutcome,
    pub error: String,
}

/// Errors are cut to this many characters; the rest is in the logs.
const MAX_ERROR_CHARS: usize = 4_000;

/// Claims the jobs that a select chooses; `$1` is the token, `$2` the worker, `$3` the lease in seconds.
pub(super) fn claim_all(sql: Sql, select: &str) -> String {
    format!(
        "UPDATE jobs SET state = 'running', attempt = attempt + 1, lease_token = $1, worker = $2, \
         lease_until = {lease}, started_at = {now}, cancel_requested = false, progress = NULL \
         WHERE {chosen} RETURNING {row}",
        row = columns::<job::Entity>(),
        lease = sql.after("$3"),
        now = sql.now(),
        chosen = sql.chosen(select),
    )
}

/// Which of the ready jobs may be claimed; `queue` says of which queues.
pub(super) fn claimable(sql: Sql, queue: &str) -> String {
    format!(
        "NOT waits AND run_at <= {now} AND (expires_at IS NULL OR expires_at > {now}) AND {queue}",
        now = sql.now()
    )
}

impl JobStore {
    /// Claims those of the hinted jobs that are due and free, of queues without limits; counts the attempt and takes a lease. One statement.
    pub async fn claim(&self, wake_ups: &[WakeUp], worker: &str, lease: Duration) -> Result<Vec<job::Model>, DbErr> {
        let sql = self.sql();
        let free = format!(
            "SELECT id FROM jobs WHERE {hinted} AND {ready} AND crashes = 0 AND {claimable} ORDER BY id {skip}",
            ready = Sql::is("ready"),
            hinted = sql.hinted("$4"),
            claimable = claimable(sql, &Sql::unlimited("jobs")),
            skip = sql.skip_locked(),
        );
        let query = claim_all(sql, &free);
        let ids = Sql::wake_ups(wake_ups);
        self.take(&db::writing(&self.db), &query, worker, lease, [ids]).await
    }

    /// Claims one job that has lost its worker before. Normal claims pass over such jobs, and a worker must hold one of
    /// them at most: a job that kills its process then never takes the same others with it twice.
    pub async fn claim_suspect(
        &self,
        queues: &[String],
        worker: &str,
        lease: Duration,
    ) -> Result<Option<job::Model>, DbErr> {
        let sql = self.sql();
        let suspect = |parameter: &str| {
            format!(
                "SELECT id FROM jobs WHERE state = 'ready' AND crashes > 0 AND next_dispatch_at <= {now} AND {queues} \
                 AND {claimable} ORDER BY next_dispatch_at LIMIT 1",
                now = sql.now(),
                queues = sql.word_in("queue", parameter),
                claimable = claimable(sql, &sql.with_room()),
            )
        };
        let any = sql.statement(&suspect("$1"), [sql.words(queues)]);
        if self.db.query_one_raw(any).await?.is_none() {
            return Ok(None);
        }
        let query = claim_all(sql, &format!("{} {}", suspect("$4"), sql.skip_locked()));
        let tx = db::begin(&self.db).await?;
        self.lock_limited(&tx, queues).await?;
        let job = self.take(&tx, &query, worker, lease, [sql.words(queues)]).await?.pop();
        tx.commit().await?;
        Ok(job)
    }

    pub(super) async fn take(
        &self,
        conn: &impl ConnectionTrait,
        query: &str,
        worker: &str,
        lease: Duration,
        more: impl IntoIterator<Item = Value>,
    ) -> Result<Vec<job::Model>, DbErr> {
        let values = [Uuid::new_v4().into(), worker.into(), lease.as_secs_f64().into()];
        let statement = self.sql().statement(query, values.into_iter().chain(more));
        let mut jobs = job::Entity::find().from_raw_sql(statement).all(conn).await?;
        jobs.sort_by_key(|job| (job.priority, job.id));
        Ok(jobs)
    }

    /// Renews the leases of these jobs and says which are still held and which staff want cancelled.
    pub async fn heartbeat(&self, worker: &str, ids: &[Uuid], lease: Duration) -> Result<Vec<Held>, DbErr> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let sql = self.sql();
        let query = format!(
            "UPDATE jobs SET lease_until = {} WHERE {} AND worker = $3 AND {} RETURNING id, lease_token, cancel_requested",
            sql.after("$2"),
            sql.id_in("$1"),
            Sql::is("running"),
        );
        let values = [sql.ids(ids.iter().copied()), lease.as_secs_f64().into(), worker.into()];
        Held::find_by_statement(sql.statement(&query, values))
            .all(&db::writing(&self.db))
            .await
    }

    /// Writes down success. Call it with the handler's own transaction, so that its effects happen exactly once.
    pub async fn complete(
        &self,
        conn: &impl ConnectionTrait,
        claim: Claim,
        result: Option<serde_json::Value>,
    ) -> Result<(), CompleteError> {
        let sql = self.sql();
        let query = format!(
            "UPDATE jobs SET state = 'done', finished_at = {}, result = $3, last_error = NULL, lease_until = NULL, \
             lease_token = NULL WHERE id = $1 AND lease_token = $2 AND state = 'running'",
            sql.now()
        );
        fenced(
            conn,
            sql.statement(&query, [claim.id.into(), claim.token.into(), result.into()]),
        )
        .await
    }

    /// Notes how far a running job is, in percent.
    pub async fn progress(&self, claim: Claim, percent: i16) -> Result<(), CompleteError> {
        let query = "UPDATE jobs SET progress = $3 WHERE id = $1 AND lease_token = $2 AND state = 'running'";
        let values = [claim.id.into(), claim.token.into(), percent.clamp(0, 100).into()];
        fenced(&db::writing(&self.db), self.sql().statement(query, values)).await
    }

    /// Lets the job run again after a while; the attempt counts and is kept with its error.
    pub async fn retry(&self, job: &job::Model, failure: &Failure, after: Duration) -> Result<(), CompleteError> {
        self.fail(
            job,
            failure,
            &format!(
                "{READY}, crashes = 0, run_at = {after}, next_dispatch_at = {after}",
                after = self.sql().after("$4")
            ),
            Some(after),
        )
        .await
    }

    /// Ends the job without success, until staff replay it.
    pub async fn bury(&self, job: &job::Model, failure: &Failure) -> Result<(), CompleteError> {
        self.fail(
            job,
            failure,
            &format!("state = 'dead', finished_at = {}", self.sql().now()),
            None,
        )
        .await
    }

    /// Ends the job because staff asked for it.
    pub async fn cancelled(&self, job: &job::Model, failure: &Failure) -> Result<(), CompleteError> {
        self.fail(
            job,
            failure,
            &format!("state = 'cancelled', finished_at = {}", self.sql().now()),
            None,
        )
        .await
    }

    async fn fail(
        &self,
        job: &job::Model,
        failure: &Failure,
        change: &str,
        after: Option<Duration>,
    ) -> Result<(), CompleteError> {
        let sql = self.sql();
        let claim = Claim::of(job);
        let error: String = failure
            .error
            .chars()
            .filter(|c| *c != '\0')
            .take(MAX_ERROR_CHARS)
            .collect();
        let query = format!(
            "UPDATE jobs SET {change}, last_error = $3, lease_until = NULL, lease_token = NULL \
             WHERE id = $1 AND lease_token = $2 AND state = 'running'"
        );
        let mut values: Vec<Value> = vec![claim.id.into(), claim.token.into(), error.clone().into()];
        values.extend(after.map(|after| Value::from(after.as_secs_f64())));
        let tx = db::begin(&self.db).await?;
        fenced(&tx, sql.statement(&query, values)).await?;
        record_attempt(&tx, job, failure.outcome, error).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Puts the job off without counting the attempt.
    pub async fn snooze(&self, job: &job::Model, reason: &str, after: Duration) -> Result<(), CompleteError> {
        let sql = self.sql();
        let query = format!(
            "UPDATE jobs SET {READY}, crashes = 0, attempt = attempt - 1, last_error = $3, run_at = {after}, next_dispatch_at = {after}, \
             lease_until = NULL, lease_token = NULL WHERE id = $1 AND lease_token = $2 AND state = 'running'",
            after = sql.after("$4")
        );
        let claim = Claim::of(job);
        let values = [
            claim.id.into(),
            claim.token.into(),
            reason.into(),
            after.as_secs_f64().into(),
        ];
        fenced(&db::writing(&self.db), sql.statement(&query, values)).await
    }

    /// The jobs that this worker claimed longer ago than `age` and that still run.
    pub async fn claimed_by(&self, worker: &str, age: Duration) -> Result<Vec<Held>, DbErr> {
        let sql = self.sql();
        let query = format!(
            "SELECT id, lease_token, cancel_requested FROM jobs \
             WHERE state = 'running' AND worker = $1 AND started_at < {}",
            sql.after("$2")
        );
        let values = [worker.into(), (-age.as_secs_f64()).into()];
        Held::find_by_statement(sql.statement(&query, values))
            .all(&self.db)
            .await
    }

    /// Returns unfinished jobs at shutdown: ready at once for others, the attempt not counted.
    pub async fn give_back(&self, claims: &[Claim]) -> Result<(), DbErr> {
        if claims.is_empty() {
            return Ok(());
        }
        let sql = self.sql();
        let query = format!(
            "UPDATE jobs SET {READY}, attempt = attempt - 1, next_dispatch_at = {now}, lease_until = NULL, \
             lease_token = NULL WHERE {held} AND state = 'running' RETURNING {row}",
            row = columns::<job::Entity>(),
            now = sql.now(),
            held = sql.held("$1"),
        );
        let statement = sql.statement(&query, [Sql::claims(claims)]);
        let jobs = job::Entity::find()
            .from_raw_sql(statement)
            .all(&db::writing(&self.db))
            .await?;
        self.transport.push(jobs.iter().map(WakeUp::of).collect());
        Ok(())
    }
}

/// Back to ready; old wake-ups of the job become void.
pub(super) const READY: &str = "state = 'ready', epoch = epoch + 1";

async fn fenced(conn: &impl ConnectionTrait, statement: sea_orm::Statement) -> Result<(), CompleteError> {
    match conn.execute_raw(statement).await?.rows_affected() {
        0 => Err(CompleteError::Lost),
        _ => Ok(()),
    }
}

pub(super) async fn record_attempt(
    conn: &impl ConnectionTrait,
    job: &job::Model,
    outcome: AttemptOutcome,
    error: String,
) -> Result<(), DbErr> {
    use sea_orm::ActiveValue::Set;
    let row = job_attempt::ActiveModel {
        job_id: Set(job.id),
        attempt: Set(job.attempt),
        outcome: Set(outcome),
        error: Set(error),
        worker: Set(job.worker.clone()),
        started_at: Set(job.started_at),
        finished_at: Set(crate::foundation::time::now()),
        ..Default::default()
    };
    job_attempt::Entity::insert(row)
        .exec_without_returning(conn)
        .await
        .map(drop)
}
