//! Ending an attempt. Each statement is a compare-and-set on the lease's token, so a worker that lost the lease changes
//! nothing.

use std::time::Duration;

use sea_orm::{ActiveValue::Set, ConnectionTrait, DbErr, EntityTrait, Value};
use thiserror::Error;

use super::{
    claims::{Claim, NO_LEASE, READY},
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
        let now = self.sql().now();
        let change = format!("state = 'done', finished_at = {now}, result = $3, last_error = NULL, {NO_LEASE}");
        self.change(conn, claim, &change, [result.into()]).await
    }

    /// Records the progress of a running job, in percent.
    pub async fn progress(&self, claim: Claim, percent: i16) -> Result<(), CompleteError> {
        let conn = db::writing(&self.db);
        self.change(&conn, claim, "progress = $3", [percent.clamp(0, 100).into()])
            .await
    }

    /// Lets the job run again later; the attempt counts and is kept with its error.
    pub async fn retry(&self, job: &job::Model, failure: &Failure, after: Duration) -> Result<(), CompleteError> {
        let again = self.sql().after("$4");
        let change = format!("{READY}, crashes = 0, run_at = {again}, next_dispatch_at = {again}");
        self.fail(job, failure, &change, Some(after)).await
    }

    /// Ends the job as dead, unless staff retry it.
    pub async fn discard(&self, job: &job::Model, failure: &Failure) -> Result<(), CompleteError> {
        let change = format!("state = 'dead', finished_at = {}", self.sql().now());
        self.fail(job, failure, &change, None).await
    }

    /// Ends the job because staff asked for it.
    pub async fn cancelled(&self, job: &job::Model, failure: &Failure) -> Result<(), CompleteError> {
        let change = format!("state = 'cancelled', finished_at = {}", self.sql().now());
        self.fail(job, failure, &change, None).await
    }

    async fn fail(
        &self,
        job: &job::Model,
        failure: &Failure,
        change: &str,
        after: Option<Duration>,
    ) -> Result<(), CompleteError> {
        let error: String = failure
            .error
            .chars()
            .filter(|c| *c != '\0')
            .take(MAX_ERROR_CHARS)
            .collect();
        let change = format!("{change}, last_error = $3, {NO_LEASE}");
        let after = after.map(|after| Value::from(after.as_secs_f64()));
        let values = [Value::from(error.clone())].into_iter().chain(after);
        let tx = db::begin(&self.db).await?;
        self.change(&tx, Claim::of(job), &change, values).await?;
        record_attempt(&tx, job, failure.outcome, error).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Postpones the job without counting the attempt.
    pub async fn snooze(&self, job: &job::Model, reason: &str, after: Duration) -> Result<(), CompleteError> {
        let again = self.sql().after("$4");
        let change = format!(
            "{READY}, {NO_LEASE}, crashes = 0, attempt = attempt - 1, last_error = $3, run_at = {again}, \
             next_dispatch_at = {again}"
        );
        let values = [reason.into(), after.as_secs_f64().into()];
        self.change(&db::writing(&self.db), Claim::of(job), &change, values)
            .await
    }

    /// Changes a running job whose lease is still the claim's, with these values as `$3` and `$4`.
    async fn change(
        &self,
        conn: &impl ConnectionTrait,
        claim: Claim,
        change: &str,
        values: impl IntoIterator<Item = Value>,
    ) -> Result<(), CompleteError> {
        let query = format!("UPDATE jobs SET {change} WHERE id = $1 AND lease_token = $2 AND state = 'running'");
        let held = [claim.id.into(), claim.token.into()];
        let statement = self.sql().statement(&query, held.into_iter().chain(values));
        match conn.execute_raw(statement).await?.rows_affected() {
            0 => Err(CompleteError::Lost),
            _ => Ok(()),
        }
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
