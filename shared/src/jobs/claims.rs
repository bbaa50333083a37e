//! Claiming jobs and giving them back. Each step compares the lease's token, so a worker that lost the lease changes
//! nothing.

use std::time::Duration;

use sea_orm::{ConnectionTrait, DbErr, EntityTrait, FromQueryResult, Value};
use uuid::Uuid;

use super::{
    job_store::JobStore,
    queues::{lock_limited, unlimited, with_room},
    transport::WakeUp,
};
use crate::foundation::{
    db::{self, Sql, columns},
    entity::job,
};

/// The right to complete one job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim {
    pub id: Uuid,
    pub token: Uuid,
}

impl From<&LeaseRow> for Claim {
    fn from(held: &LeaseRow) -> Self {
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

/// A lease as the jobs table has it.
#[derive(Clone, Copy, Debug, FromQueryResult)]
pub struct LeaseRow {
    pub id: Uuid,
    pub lease_token: Uuid,
    pub cancel_requested: bool,
}

/// SQL that claims the jobs a select chooses; `$1` is the token, `$2` the worker, `$3` the lease in seconds.
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

/// SQL for the ready jobs that may be claimed; `queue` is the condition on their queues.
pub(super) fn claimable(sql: Sql, queue: &str) -> String {
    format!(
        "NOT waits AND run_at <= {now} AND (expires_at IS NULL OR expires_at > {now}) AND {queue}",
        now = sql.now()
    )
}

impl JobStore {
    /// Claims the jobs of these wake-ups that are due, in queues without limits: counts the attempt and takes a lease.
    /// One statement.
    pub async fn claim(&self, wake_ups: &[WakeUp], worker: &str, lease: Duration) -> Result<Vec<job::Model>, DbErr> {
        let sql = self.sql();
        let free = format!(
            "SELECT id FROM jobs WHERE {in_epoch} AND {ready} AND crashes = 0 AND {claimable} ORDER BY id {skip}",
            ready = Sql::is("ready"),
            in_epoch = sql.in_epoch("$4"),
            claimable = claimable(sql, &unlimited("jobs")),
            skip = sql.skip_locked(),
        );
        let query = claim_all(sql, &free);
        let ids = Sql::wake_ups(wake_ups);
        self.take(&db::writing(&self.db), &query, worker, lease, [ids]).await
    }

    /// Claims one quarantined job, which has lost a worker before. Normal claims skip such jobs, and a worker must hold
    /// at most one of them: a job that kills its process then never takes the same neighbors down twice.
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
                claimable = claimable(sql, &with_room(sql)),
            )
        };
        let any = sql.statement(&suspect("$1"), [sql.words(queues)]);
        if self.db.query_one_raw(any).await?.is_none() {
            return Ok(None);
        }
        let query = claim_all(sql, &format!("{} {}", suspect("$4"), sql.skip_locked()));
        let tx = db::begin(&self.db).await?;
        lock_limited(&tx, sql, queues).await?;
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

    /// Renews the leases of these jobs. Returns those that are still held, and whether staff want them cancelled.
    pub async fn heartbeat(&self, worker: &str, ids: &[Uuid], lease: Duration) -> Result<Vec<LeaseRow>, DbErr> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let sql = self.sql();
        let query = format!(
            "UPDATE jobs SET lease_until = {} WHERE {} AND worker = $3 AND {} \
             RETURNING id, lease_token, cancel_requested",
            sql.after("$2"),
            sql.id_in("$1"),
            Sql::is("running"),
        );
        let values = [sql.ids(ids.iter().copied()), lease.as_secs_f64().into(), worker.into()];
        LeaseRow::find_by_statement(sql.statement(&query, values))
            .all(&db::writing(&self.db))
            .await
    }

    /// The running jobs that this worker claimed longer than `age` ago.
    pub async fn claimed_by(&self, worker: &str, age: Duration) -> Result<Vec<LeaseRow>, DbErr> {
        let sql = self.sql();
        let query = format!(
            "SELECT id, lease_token, cancel_requested FROM jobs \
             WHERE state = 'running' AND worker = $1 AND started_at < {}",
            sql.after("$2")
        );
        let values = [worker.into(), (-age.as_secs_f64()).into()];
        LeaseRow::find_by_statement(sql.statement(&query, values))
            .all(&self.db)
            .await
    }

    /// Returns unfinished jobs at shutdown: they are ready for other workers at once, and the attempt doesn't count.
    pub async fn give_back(&self, claims: &[Claim]) -> Result<(), DbErr> {
        if claims.is_empty() {
            return Ok(());
        }
        let sql = self.sql();
        let query = format!(
            "UPDATE jobs SET {READY}, attempt = attempt - 1, next_dispatch_at = {now}, {NO_LEASE} \
             WHERE {held} AND state = 'running' RETURNING {row}",
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

/// Back to ready; the job's older wake-ups no longer match.
pub(super) const READY: &str = "state = 'ready', epoch = epoch + 1";
pub(super) const NO_LEASE: &str = "lease_until = NULL, lease_token = NULL";

impl Sql {
    /// Jobs whose epoch is still that of their wake-up; the parameter is made by [`Self::wake_ups`].
    pub fn in_epoch(self, parameter: &str) -> String {
        if self.postgres() {
            Self::pairs_by_id("epoch", "integer", parameter)
        } else {
            format!("(id, epoch) IN (SELECT unhex(value->>0), value->>1 FROM json_each({parameter}))")
        }
    }

    pub fn wake_ups(wake_ups: &[WakeUp]) -> Value {
        let pairs = wake_ups
            .iter()
            .map(|wake_up| serde_json::json!([wake_up.id.simple().to_string(), wake_up.epoch]));
        serde_json::Value::from_iter(pairs).into()
    }

    /// Jobs whose lease token is still the claim's; the parameter is made by [`Self::claims`].
    pub fn held(self, parameter: &str) -> String {
        if self.postgres() {
            Self::pairs_by_id("lease_token", "uuid", parameter)
        } else {
            format!("(id, lease_token) IN (SELECT unhex(value->>0), unhex(value->>1) FROM json_each({parameter}))")
        }
    }

    pub fn claims(claims: &[Claim]) -> Value {
        let word = |id: Uuid| id.simple().to_string();
        let pairs = claims
            .iter()
            .map(|claim| serde_json::json!([word(claim.id), word(claim.token)]));
        serde_json::Value::from_iter(pairs).into()
    }

    /// Rows whose id and another column match a pair of the JSON parameter. The array makes PostgreSQL look the ids up
    /// in the primary key, whatever its statistics say; a plain `IN` may read the whole table.
    fn pairs_by_id(column: &str, kind: &str, parameter: &str) -> String {
        let pairs = format!("FROM jsonb_array_elements({parameter}) pair");
        format!(
            "id = ANY(ARRAY(SELECT (pair->>0)::uuid {pairs})) \
             AND (id, {column}) IN (SELECT (pair->>0)::uuid, (pair->>1)::{kind} {pairs})"
        )
    }
}
