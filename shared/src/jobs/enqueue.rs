//! Writing a job into the caller's transaction.

use std::time::Duration;

use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbErr, Statement};
use thiserror::Error;
use uuid::Uuid;

use super::{
    job::{Job, Priority},
    job_store::Tx,
    transport::WakeUp,
};
use crate::{
    audit::Actor,
    foundation::{
        db::Sql,
        time::{new_id, now},
        trace::Trace,
    },
};

/// The largest payload, in bytes of JSON.
pub const MAX_PAYLOAD_BYTES: usize = 8 * 1024;

/// How one job differs from its kind.
#[derive(Clone, Debug, Default)]
pub struct EnqueueOptions {
    run_at: Option<DateTime<Utc>>,
    expires_at: Option<DateTime<Utc>>,
    unique_key: Option<String>,
    priority: Option<Priority>,
    max_attempts: Option<i32>,
    actor: Option<String>,
    trace_context: Option<String>,
    parent_id: Option<Uuid>,
    waits: bool,
}

impl EnqueueOptions {
    /// Not before this time.
    #[must_use]
    pub fn at(time: DateTime<Utc>) -> Self {
        Self {
            run_at: Some(time),
            ..Self::default()
        }
    }

    /// Caused by this actor.
    #[must_use]
    pub fn by(actor: &Actor) -> Self {
        Self::default().actor(actor.to_string())
    }

    /// Pointless after this time: a job that hasn't started by then is dead.
    #[must_use]
    pub fn expires_at(mut self, time: DateTime<Utc>) -> Self {
        self.expires_at = Some(time);
        self
    }

    /// At most one job of this kind and key is ready or running.
    #[must_use]
    pub fn unique(mut self, key: impl Into<String>) -> Self {
        self.unique_key = Some(key.into());
        self
    }

    #[must_use]
    pub fn priority(mut self, priority: Priority) -> Self {
        self.priority = Some(priority);
        self
    }

    /// The maximum number of attempts, instead of the kind's own.
    #[must_use]
    pub fn max_attempts(mut self, attempts: i32) -> Self {
        self.max_attempts = Some(attempts);
        self
    }

    /// Who caused it, such as `api_key:7`.
    #[must_use]
    pub fn actor(mut self, actor: impl Into<String>) -> Self {
        self.actor = Some(actor.into());
        self
    }

    /// A subjob that another job waits for; see [`EnqueueOptions::after_children`].
    #[must_use]
    pub fn child_of(mut self, waiting: Uuid) -> Self {
        self.parent_id = Some(waiting);
        self
    }

    /// Runs once every job that was enqueued as [`EnqueueOptions::child_of`] this one has ended, however it ended.
    /// Enqueue the children in the same transaction; without any it runs at once.
    #[must_use]
    pub fn after_children(mut self) -> Self {
        self.waits = true;
        self
    }

    /// W3C `traceparent` of what caused it, where that is not the current request or job.
    #[must_use]
    pub fn trace(mut self, trace_context: impl Into<String>) -> Self {
        self.trace_context = Some(trace_context.into());
        self
    }
}

/// What an enqueue did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Enqueued {
    New(Uuid),
    /// A job with the same unique key was already ready or running.
    Existing(Uuid),
}

impl Enqueued {
    #[must_use]
    pub fn id(self) -> Uuid {
        match self {
            Self::New(id) | Self::Existing(id) => id,
        }
    }
}

#[derive(Debug, Error)]
pub enum EnqueueError {
    #[error("the payload of a {kind} job has {bytes} bytes, more than {MAX_PAYLOAD_BYTES}: pass ids, not documents")]
    TooLarge { kind: &'static str, bytes: usize },
    #[error("the payload of a {kind} job cannot be written as JSON: {reason}")]
    Payload {
        kind: &'static str,
        reason: serde_json::Error,
    },
    #[error(transparent)]
    Db(#[from] DbErr),
}

/// Writes a job that runs as soon as the transaction commits.
pub async fn enqueue<J: Job>(tx: &Tx, job: J) -> Result<Enqueued, EnqueueError> {
    enqueue_with(tx, job, EnqueueOptions::default()).await
}

/// The conflict of two jobs with the same unique key.
pub(super) const UNIQUE: &str = "(kind, unique_key) WHERE unique_key IS NOT NULL AND state IN ('ready', 'running')";

/// Writes a job with its own options. A job that is rolled back never existed.
pub async fn enqueue_with<J: Job>(tx: &Tx, job: J, options: EnqueueOptions) -> Result<Enqueued, EnqueueError> {
    let row = Row::of(&job, options)?;
    let enqueued = row.write(&**tx, row.insert(tx, UNIQUE)).await?;
    if matches!(enqueued, Enqueued::New(_)) {
        row.announce(tx);
    }
    Ok(enqueued)
}

/// [`enqueue_with`] in a transaction that sends no wake-ups: a worker finds the job when it next polls the jobs table,
/// within about a second of the commit.
pub async fn enqueue_polled<J: Job>(
    tx: &DatabaseTransaction,
    job: J,
    options: EnqueueOptions,
) -> Result<Enqueued, EnqueueError> {
    let row = Row::of(&job, options)?;
    let insert = row.statement(Sql(tx.get_database_backend()), Duration::ZERO, UNIQUE);
    row.write(tx, insert).await
}

/// What caused one of many jobs.
#[derive(Clone, Debug, Default)]
pub struct Origin {
    /// Who caused it, such as `api_key:7`.
    pub actor: Option<String>,
    /// W3C `traceparent` of the request that caused it.
    pub trace_context: Option<String>,
}

/// Writes jobs of one kind in one statement; they run as soon as the transaction commits.
pub async fn enqueue_all<J: Job>(tx: &Tx, jobs: impl IntoIterator<Item = (J, Origin)>) -> Result<(), EnqueueError> {
    let (mut rows, mut ids) = (Vec::new(), Vec::new());
    for (job, origin) in jobs {
        let id = new_id();
        ids.push(id);
        rows.push(serde_json::json!({
            "id": id.simple().to_string(), "payload": payload(&job)?, "user_id": job.user_id(),
            "actor": origin.actor, "trace": origin.trace_context,
        }));
    }
    if ids.is_empty() {
        return Ok(());
    }
    let (sql, priority) = (Sql(tx.get_database_backend()), J::PRIORITY.number());
    let values = [
        serde_json::Value::from(rows).into(),
        J::QUEUE.into(),
        J::KIND.into(),
        J::VERSION.into(),
        priority.into(),
        tx.dispatch_grace().as_secs_f64().into(),
    ];
    let insert = format!(
        "INSERT INTO jobs (id, queue, kind, version, payload, priority, run_at, next_dispatch_at, user_id, actor, \
         trace_context, created_at) {}",
        rows_of_jobs(sql)
    );
    tx.execute_raw(sql.statement(&insert, values)).await?;
    for id in ids {
        tx.remember(WakeUp {
            id,
            epoch: 0,
            queue: J::QUEUE.to_owned(),
            priority,
        });
    }
    Ok(())
}

/// New jobs from the JSON array `$1`; they share `$2` queue, `$3` kind, `$4` version, `$5` priority and `$6` seconds
/// until workers may poll them.
fn rows_of_jobs(sql: Sql) -> String {
    let (now, grace) = (sql.now(), sql.after("$6"));
    if sql.postgres() {
        format!(
            "SELECT (job->>'id')::uuid, $2, $3, $4, job->'payload', $5, {now}, {grace}, (job->>'user_id')::bigint, \
             job->>'actor', job->>'trace', {now} FROM jsonb_array_elements($1) job"
        )
    } else {
        format!(
            "SELECT unhex(value->>'id'), $2, $3, $4, value->'payload', $5, {now}, {grace}, value->>'user_id', \
             value->>'actor', value->>'trace', {now} FROM json_each($1)"
        )
    }
}

fn payload<J: Job>(job: &J) -> Result<serde_json::Value, EnqueueError> {
    let payload = serde_json::to_value(job).map_err(|reason| EnqueueError::Payload { kind: J::KIND, reason })?;
    let bytes = payload.to_string().len();
    if bytes > MAX_PAYLOAD_BYTES {
        return Err(EnqueueError::TooLarge { kind: J::KIND, bytes });
    }
    Ok(payload)
}

/// A job about to be written.
pub(super) struct Row<'a> {
    pub id: Uuid,
    pub queue: &'a str,
    pub kind: &'a str,
    pub version: i16,
    pub payload: serde_json::Value,
    pub priority: i16,
    pub user_id: Option<i64>,
    pub options: EnqueueOptions,
}

impl Row<'static> {
    fn of<J: Job>(job: &J, options: EnqueueOptions) -> Result<Self, EnqueueError> {
        Ok(Self {
            id: new_id(),
            queue: J::QUEUE,
            kind: J::KIND,
            version: J::VERSION,
            payload: payload(job)?,
            priority: options.priority.unwrap_or(J::PRIORITY).number(),
            user_id: job.user_id(),
            options,
        })
    }
}

impl Row<'_> {
    /// The insert; a conflict on `unless` writes nothing.
    pub(super) fn insert(&self, tx: &Tx, unless: &str) -> Statement {
        self.statement(Sql(tx.get_database_backend()), tx.dispatch_grace(), unless)
    }

    /// The insert of a job that workers may poll after this grace period.
    fn statement(&self, sql: Sql, grace: Duration, unless: &str) -> Statement {
        let insert = format!(
            "INSERT INTO jobs (id, queue, kind, version, payload, priority, run_at, next_dispatch_at, expires_at, \
             unique_key, max_attempts, user_id, actor, trace_context, parent_id, waits, created_at) \
             VALUES ($1, $2, $3, $4, $5, $6, COALESCE($7, {now}), COALESCE($7, {grace}), $9, $10, $11, $12, $13, $14, \
             $15, $16, {now}) ON CONFLICT {unless} DO NOTHING",
            now = sql.now(),
            grace = sql.after("$8"),
        );
        let options = &self.options;
        let of_task = || Trace::for_job(self.kind, self.queue).map(|trace| trace.to_string());
        let trace = options.trace_context.clone().or_else(of_task);
        let values = [
            self.id.into(),
            self.queue.into(),
            self.kind.into(),
            self.version.into(),
            self.payload.clone().into(),
            self.priority.into(),
            options.run_at.into(),
            grace.as_secs_f64().into(),
            options.expires_at.into(),
            options.unique_key.clone().into(),
            options.max_attempts.into(),
            self.user_id.into(),
            options.actor.clone().into(),
            trace.into(),
            options.parent_id.into(),
            options.waits.into(),
        ];
        sql.statement(&insert, values)
    }

    /// Runs the insert until it writes the job, or meets one with the same unique key.
    async fn write(&self, conn: &impl ConnectionTrait, insert: Statement) -> Result<Enqueued, EnqueueError> {
        loop {
            if conn.execute_raw(insert.clone()).await?.rows_affected() == 1 {
                return Ok(Enqueued::New(self.id));
            }
            if let Some(met) = find_unique(conn, self.kind, self.options.unique_key.as_deref()).await? {
                return Ok(Enqueued::Existing(met));
            }
            // It finished in between, so the key is free again.
        }
    }

    /// Queues the wake-up of a job that is due at the commit.
    pub(super) fn announce(&self, tx: &Tx) {
        if !self.options.waits && self.options.run_at.is_none_or(|at| at <= now()) {
            tx.remember(WakeUp {
                id: self.id,
                epoch: 0,
                queue: self.queue.to_owned(),
                priority: self.priority,
            });
        }
    }
}

async fn find_unique(conn: &impl ConnectionTrait, kind: &str, key: Option<&str>) -> Result<Option<Uuid>, DbErr> {
    let query = "SELECT id FROM jobs WHERE kind = $1 AND unique_key = $2 AND state IN ('ready', 'running')";
    let query = Sql(conn.get_database_backend()).statement(query, [kind.into(), key.into()]);
    conn.query_one_raw(query)
        .await?
        .map(|row| row.try_get("", "id"))
        .transpose()
}
