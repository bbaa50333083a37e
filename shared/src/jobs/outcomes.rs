//! Ending an attempt. Each statement is a compare-and-set on the lease's token, so a worker that lost the lease changes
//! nothing.

use std::time::Duration;

use sea_orm::{ActiveValue::Set, ConnectionTrait, DbErr, EntityTrait, Value};
use thiserror::Error;

use super::{
    claims::{Claim, READY},
    job_store::JobStore,
};
use crate::foundation::{
    db,
    entity::{
        job,
        job_attempt::{self, AttemptOutcome},
    },
    time::now,
};

/// The end of an attempt could not be written.
#[derive(Debug, Error)]
pub enum CompleteError {
    /// The lease expired, and another worker may have the job.
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

/// Errors are truncated to this many characters; the logs have the rest.
const MAX_ERROR_CHARS: usize = 4_000;

impl JobStore {
    /// Records success. Call it with the handler's own transaction, so that its effects happen exactly once.
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

    /// Records the progress of a running job, in percent.
    pub async fn progress(&self, claim: Claim, percent: i16) -> Result<(), CompleteError> {
        let query = "UPDATE jobs SET progress = $3 WHERE id = $1 AND lease_token = $2 AND state = 'running'";
        let values = [claim.id.into(), claim.token.into(), percent.clamp(0, 100).into()];
        fenced(&db::writing(&self.db), self.sql().statement(query, values)).await
    }

    /// Lets the job run again later; the attempt counts and is kept with its error.
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

    /// Ends the job as dead, unless staff retry it.
    pub async fn discard(&self, job: &job::Model, failure: &Failure) -> Result<(), CompleteError> {
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

    /// Postpones the job without counting the attempt.
    pub async fn snooze(&self, job: &job::Model, reason: &str, after: Duration) -> Result<(), CompleteError> {
        let sql = self.sql();
        let query = format!(
            "UPDATE jobs SET {READY}, crashes = 0, attempt = attempt - 1, last_error = $3, run_at = {after}, \
             next_dispatch_at = {after}, lease_until = NULL, lease_token = NULL \
             WHERE id = $1 AND lease_token = $2 AND state = 'running'",
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
}

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
    let row = job_attempt::ActiveModel {
        job_id: Set(job.id),
        attempt: Set(job.attempt),
        outcome: Set(outcome),
        error: Set(error),
        worker: Set(job.worker.clone()),
        started_at: Set(job.started_at),
        finished_at: Set(now()),
        ..Default::default()
    };
    job_attempt::Entity::insert(row)
        .exec_without_returning(conn)
        .await
        .map(drop)
}
