//! Queues with limits that hold across all workers. Fast claims skip such a queue. Here its row is locked, running jobs
//! are counted by their live leases, and starts are spread by GCRA with its timestamp in the row. So nothing is counted
//! twice or forever, however workers die, with or without Redis.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbErr, FromQueryResult};

use super::{
    due::{Due, due_values},
    job::Priority,
    job_store::JobStore,
    queues::LIMITED,
};
use crate::foundation::{db, entity::job};

/// A queue's row, locked.
#[derive(FromQueryResult)]
struct Limits {
    max_running: Option<i32>,
    starts_per_minute: Option<i32>,
    started_through: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
}

/// One start per `step`; a second's worth of them may happen at once.
struct Pace {
    step: TimeDelta,
    burst: i32,
    through: DateTime<Utc>,
    now: DateTime<Utc>,
}

impl Limits {
    fn pace(&self) -> Option<Pace> {
        let a_minute = self.starts_per_minute?.max(1);
        Some(Pace {
            step: TimeDelta::minutes(1) / a_minute,
            burst: (a_minute - 1) / 60 + 1,
            through: self.started_through.unwrap_or(self.now).max(self.now),
            now: self.now,
        })
    }
}

impl Pace {
    /// Starts that are allowed now.
    fn room(&self) -> i64 {
        let free = self.now + self.step * self.burst - self.through;
        let step = self.step.num_microseconds().unwrap_or(i64::MAX).max(1);
        (free.num_microseconds().unwrap_or(0) / step).max(0)
    }

    /// The row's timestamp after these starts.
    fn after(&self, starts: usize) -> DateTime<Utc> {
        self.through + self.step * i32::try_from(starts).unwrap_or(i32::MAX)
    }
}

impl JobStore {
    /// The queues of these that have a limit and are not paused.
    pub async fn limited(&self, queues: &[String]) -> Result<Vec<String>, DbErr> {
        let sql = self.sql();
        let query = format!(
            "SELECT name FROM job_queues WHERE {} AND paused_at IS NULL AND ({LIMITED}) ORDER BY name",
            sql.word_in("name", "$1")
        );
        let rows = self
            .db
            .query_all_raw(sql.statement(&query, [sql.words(queues)]))
            .await?;
        rows.iter().map(|row| row.try_get("", "name")).collect()
    }

    /// Claims due jobs of a queue with limits, as many as they allow and at most `max`. At most six statements.
    pub async fn claim_limited(
        &self,
        queue: &str,
        max: usize,
        worker: &str,
        lease: Duration,
    ) -> Result<Vec<job::Model>, DbErr> {
        let sql = self.sql();
        let tx = db::begin(&self.db).await?;
        let Some(limits) = self.lock_limits(&tx, queue).await? else {
            return Ok(Vec::new());
        };
        let mut room = i64::try_from(max).unwrap_or(i64::MAX);
        if let Some(at_once) = limits.max_running {
            room = room.min(i64::from(at_once) - self.running(&tx, queue).await?);
        }
        let pace = limits.pace();
        if let Some(pace) = &pace {
            room = room.min(pace.room());
        }
        let query = sql.claim_due("TRUE", Due::All);
        let mut jobs: Vec<job::Model> = Vec::new();
        for priority in Priority::ALL {
            let left = usize::try_from(room).unwrap_or(0).saturating_sub(jobs.len());
            if left > 0 {
                let values = due_values((queue, priority), left, None);
                jobs.extend(self.take(&tx, &query, worker, lease, values).await?);
            }
        }
        if let Some(pace) = pace.filter(|_| !jobs.is_empty()) {
            let query = "UPDATE job_queues SET started_through = $2 WHERE name = $1";
            let values = [queue.into(), pace.after(jobs.len()).into()];
            tx.execute_raw(sql.statement(query, values)).await?;
        }
        tx.commit().await?;
        Ok(jobs)
    }

    /// Locks the queue until the transaction ends. None if it has no limit or is paused.
    async fn lock_limits(&self, tx: &DatabaseTransaction, queue: &str) -> Result<Option<Limits>, DbErr> {
        let sql = self.sql();
        let query = format!(
            "SELECT max_running, starts_per_minute, started_through, {now} AS now FROM job_queues \
             WHERE name = $1 AND paused_at IS NULL AND ({LIMITED}) {lock}",
            now = sql.now(),
            lock = sql.lock(),
        );
        Limits::find_by_statement(sql.statement(&query, [queue.into()]))
            .one(tx)
            .await
    }

    /// Jobs of a queue on which a worker holds a live lease.
    async fn running(&self, tx: &DatabaseTransaction, queue: &str) -> Result<i64, DbErr> {
        let sql = self.sql();
        let query = format!(
            "SELECT count(*) AS running FROM jobs WHERE state = 'running' AND lease_until >= {} AND queue = $1",
            sql.now()
        );
        let row = tx.query_one_raw(sql.statement(&query, [queue.into()])).await?;
        row.map_or(Ok(0), |row| row.try_get("", "running"))
    }
}
