//! Claiming due jobs straight from the jobs table, oldest first: delayed jobs and retries whose time has come, jobs
//! whose wake-up was lost, and queues longer than the list of wake-ups.

use std::{
    collections::{HashMap, HashSet},
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait, DbBackend, DbErr, Value};
use uuid::Uuid;

use super::{
    claims,
    job::Priority,
    job_store::{GRACE, JobStore},
    queues::unlimited,
};
use crate::foundation::{
    db::{self, Sql},
    entity::job,
};

/// Which of the due jobs are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// All: there are no wake-ups, or they don't arrive.
    All,
    /// Those whose wake-up had a second to arrive.
    Overdue,
}

/// How far a worker has read in queues that are longer than its claims. Claimed rows leave entries in the index until
/// PostgreSQL vacuums them; a claim from the head of a long queue would read past all of them.
#[derive(Debug, Default)]
pub struct QueueCursors {
    reached: HashMap<(String, Priority), Position>,
    /// When it last started at the heads.
    began: Option<Instant>,
}

/// Where claims begin.
pub(super) type Head<'a> = (&'a str, Priority);

/// A job in the order of its queue.
type Position = (DateTime<Utc>, Uuid);

/// Jobs may have returned to the head of a queue since.
const BEGIN_AGAIN: Duration = Duration::from_secs(1);

impl QueueCursors {
    fn begin_again_at_times(&mut self) {
        if self.began.is_none_or(|began| began.elapsed() >= BEGIN_AGAIN) {
            self.reached.clear();
            self.began = Some(Instant::now());
        }
    }

    fn reached(&self, (queue, priority): Head<'_>) -> Option<Position> {
        self.reached.get(&(queue.to_owned(), priority)).copied()
    }

    /// The next claim continues behind these jobs if there may be more, else it starts at the head.
    fn note(&mut self, (queue, priority): Head<'_>, claimed: &[job::Model], more: bool) {
        let last = claimed.iter().map(|job| (job.next_dispatch_at, job.id)).max();
        match last.filter(|_| more) {
            Some(last) => self.reached.insert((queue.to_owned(), priority), last),
            None => self.reached.remove(&(queue.to_owned(), priority)),
        };
    }
}

impl Sql {
    fn horizon(self, due: Due) -> String {
        match due {
            Due::All => self.after(&format!("{:.1}", GRACE.as_secs_f64())),
            Due::Overdue => self.now().into_owned(),
        }
    }

    /// Pairs of queue and priority from a JSON parameter.
    fn heads(self, parameter: &str) -> String {
        match self.0 {
            DbBackend::Postgres => format!(
                "SELECT head->>0 AS queue, (head->>1)::smallint AS priority FROM jsonb_array_elements({parameter}) head"
            ),
            _ => format!("SELECT value->>0 AS queue, value->>1 AS priority FROM json_each({parameter})"),
        }
    }

    /// SQL that claims due jobs of one queue and priority, oldest first; see [`claims::claim_all`]. `$4` to `$6` are
    /// queue, priority and limit, `$7` and `$8` the position to start behind.
    pub(super) fn claim_due(self, queue: &str, due: Due) -> String {
        let select = format!(
            "SELECT id FROM jobs WHERE queue = $4 AND priority = $5 AND (next_dispatch_at, id) > ($7, $8) \
             AND next_dispatch_at <= {horizon} AND state = 'ready' AND crashes = 0 AND {claimable} \
             ORDER BY next_dispatch_at, id LIMIT $6 {skip}",
            horizon = self.horizon(due),
            claimable = claims::claimable(self, queue),
            skip = self.skip_locked(),
        );
        claims::claim_all(self, &select)
    }
}

/// `$4` to `$8` of [`Sql::claim_due`].
pub(super) fn due_values((queue, priority): Head<'_>, limit: usize, after: Option<Position>) -> [Value; 5] {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let after = after.unwrap_or_default();
    [
        queue.into(),
        priority.number().into(),
        limit.into(),
        after.0.into(),
        after.1.into(),
    ]
}

impl JobStore {
    /// Claims due jobs of queues without limits, highest priority and oldest first. One query, and one statement for
    /// each queue and priority that has some, until `limit` jobs are claimed.
    pub async fn claim_due(
        &self,
        queues: &[String],
        due: Due,
        limit: usize,
        worker: &str,
        lease: Duration,
        place: &mut QueueCursors,
    ) -> Result<Vec<job::Model>, DbErr> {
        place.begin_again_at_times();
        let heads: Vec<_> = Priority::ALL
            .into_iter()
            .flat_map(|priority| queues.iter().map(move |queue| (queue.as_str(), priority)))
            .collect();
        let unread = heads.iter().copied().filter(|head| place.reached(*head).is_none());
        let with_jobs = self.with_due_jobs(unread, due, &unlimited("heads")).await?;
        let query = self.sql().claim_due(&unlimited("jobs"), due);
        let mut jobs = Vec::new();
        for head in heads {
            let (reached, room) = (place.reached(head), limit.saturating_sub(jobs.len()));
            if room > 0 && (reached.is_some() || with_jobs.contains(&(head.0.to_owned(), head.1.number()))) {
                let values = due_values(head, room, reached);
                let claimed = self.take(&db::writing(&self.db), &query, worker, lease, values).await?;
                place.note(head, &claimed, claimed.len() == room);
                jobs.extend(claimed);
            }
        }
        Ok(jobs)
    }

    /// Whether a queue has due jobs. Locks nothing.
    pub async fn is_due(&self, queue: &str) -> Result<bool, DbErr> {
        let heads = Priority::ALL.map(|priority| (queue, priority));
        Ok(!self.with_due_jobs(heads, Due::All, "true").await?.is_empty())
    }

    /// The queues and priorities, of those that meet the condition, that have due jobs. This read avoids the write lock
    /// (SQLite) and the row locks where nothing is due.
    async fn with_due_jobs(
        &self,
        heads: impl IntoIterator<Item = Head<'_>>,
        due: Due,
        among: &str,
    ) -> Result<HashSet<(String, i16)>, DbErr> {
        let sql = self.sql();
        // A limited sub-select runs once per head; an EXISTS could become a join that reads every ready row. The order
        // is the index's: without it PostgreSQL may scan the table for a ready row, past all that are done.
        let query = format!(
            "SELECT queue, priority FROM ({pairs}) heads WHERE {among} \
             AND (SELECT true FROM jobs WHERE state = 'ready' AND crashes = 0 AND NOT waits \
             AND jobs.queue = heads.queue AND jobs.priority = heads.priority \
             AND next_dispatch_at <= {horizon} AND run_at <= {now} ORDER BY next_dispatch_at LIMIT 1)",
            pairs = sql.heads("$1"),
            horizon = sql.horizon(due),
            now = sql.now()
        );
        let heads = heads
            .into_iter()
            .map(|(queue, priority)| serde_json::json!([queue, priority.number()]));
        let heads = serde_json::Value::from_iter(heads);
        let rows = self.db.query_all_raw(sql.statement(&query, [heads.into()])).await?;
        rows.iter()
            .map(|row| Ok((row.try_get("", "queue")?, row.try_get("", "priority")?)))
            .collect()
    }
}
