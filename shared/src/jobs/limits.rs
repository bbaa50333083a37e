//! Queues with limits, over all workers. Such a queue is passed over by claims that are made for speed; here its row is
//! locked, what runs is counted by live leases, and starts are spread by GCRA with its time in the row. So nothing is
//! counted twice or for ever, however workers die, and whether or not there is Redis.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbErr, FromQueryResult};

use super::{
    JobStore, Priority,
    due::{Due, due_values},
    sql::Sql,
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

/// One start after the other at this distance, of which a second's worth may come at once.
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

    /// Where the row's time stands after these starts.
    fn after(&self, starts: usize) -> DateTime<Utc> {
        self.through + self.step * i32::try_from(starts).unwrap_or(i32::MAX)
    }
}

impl JobStore {
    /// Those of the queues that have a limit and are not paused.
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

    /// Claims due jobs of a queue that has limits, as many as they allow and at most `max`. Six statements at most.
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

    /// Until the transaction ends nobody else claims from this queue. None when it has no limit or is paused.
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

    /// Jobs of a queue that some worker holds a live lease on.
    async fn running(&self, tx: &DatabaseTransaction, queue: &str) -> Result<i64, DbErr> {
        let sql = self.sql();
        let query = format!(
            "SELECT count(*) AS running FROM jobs WHERE state = 'running' AND lease_until >= {} AND queue = $1",
            sql.now()
        );
        let row = tx.query_one_raw(sql.statement(&query, [queue.into()])).await?;
        row.map_or(Ok(0), |row| row.try_get("", "running"))
    }

    /// Locks those of the queues that have a limit, so that what runs in them can be counted and added to.
    pub(super) async fn lock_limited(&self, tx: &DatabaseTransaction, queues: &[String]) -> Result<(), DbErr> {
        let sql = self.sql();
        let query = format!(
            "SELECT name FROM job_queues WHERE {} AND ({LIMITED}) ORDER BY name {}",
            sql.word_in("name", "$1"),
            sql.lock()
        );
        tx.query_all_raw(sql.statement(&query, [sql.words(queues)]))
            .await
            .map(drop)
    }
}

/// What makes a queue one with limits.
const LIMITED: &str = "max_running IS NOT NULL OR starts_per_minute IS NOT NULL";

impl Sql {
    /// Rows whose queue anybody may claim from at any time. A look for each row, and no join: of a join with queues that
    /// are rarely limited PostgreSQL expects no row at all, and then reads and sorts a whole backlog to claim a few.
    pub fn unlimited(rows: &str) -> String {
        format!(
            "COALESCE((SELECT false FROM job_queues WHERE job_queues.name = {rows}.queue \
             AND (paused_at IS NOT NULL OR {LIMITED})), true)"
        )
    }

    /// Jobs of queues that are neither paused nor full; the caller has locked the queues' rows.
    pub fn with_room(self) -> String {
        format!(
            "NOT EXISTS (SELECT 1 FROM job_queues WHERE job_queues.name = jobs.queue AND (paused_at IS NOT NULL \
             OR max_running <= (SELECT count(*) FROM jobs held WHERE held.state = 'running' \
             AND held.lease_until >= {} AND held.queue = jobs.queue)))",
            self.now()
        )
    }
}
