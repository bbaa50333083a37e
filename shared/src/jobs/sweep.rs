//! What every worker does each second, without a leader: it recovers jobs of lost workers, releases jobs whose subjobs
//! have ended, and ends expired jobs.

use sea_orm::{ConnectionTrait, DbErr, EntityTrait};

use super::{claims::NO_LEASE, job_store::JobStore, outcomes::record_attempt, transport::WakeUp};
use crate::foundation::{
    db::{self, columns},
    entity::{
        job::{self, JobState},
        job_attempt::AttemptOutcome,
    },
    time::now,
};

/// A job that has crashed this many workers is dead.
pub const MAX_CRASHES: i32 = 3;

/// Jobs recovered or ended in one sweep.
const BATCH: i64 = 500;

/// What one sweep did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Jobs of lost workers, ready again.
    pub recovered: usize,
    /// Jobs whose subjobs have ended.
    pub released: usize,
    /// Jobs that ended: crashed too often, expired, or cancelled while their worker was lost.
    pub ended: usize,
}

impl JobStore {
    /// One sweep.
    pub async fn sweep(&self) -> Result<Swept, DbErr> {
        let mut swept = Swept::default();
        self.recover(&mut swept).await?;
        swept.ended += self.expire().await?;
        swept.released += self.release().await?;
        Ok(swept)
    }

    async fn recover(&self, swept: &mut Swept) -> Result<(), DbErr> {
        let sql = self.sql();
        let lost = format!("state = 'running' AND lease_until < {}", sql.now());
        if !self.has_any("jobs", &lost).await? {
            return Ok(());
        }
        let query = format!(
            "UPDATE jobs SET crashes = crashes + 1, {NO_LEASE}, \
             last_error = 'the worker was lost while it ran this job', epoch = epoch + 1, next_dispatch_at = {now}, \
             state = CASE WHEN cancel_requested THEN 'cancelled' WHEN crashes + 1 >= $1 THEN 'dead' ELSE 'ready' END, \
             finished_at = CASE WHEN cancel_requested OR crashes + 1 >= $1 THEN {now} END \
             WHERE {chosen} RETURNING {row}",
            row = columns::<job::Entity>(),
            now = sql.now(),
            chosen = sql.chosen(&format!(
                "SELECT id FROM jobs WHERE {lost} ORDER BY lease_until LIMIT {BATCH} {}",
                sql.skip_locked()
            )),
        );
        let tx = db::begin(&self.db).await?;
        let statement = sql.statement(&query, [MAX_CRASHES.into()]);
        let jobs = job::Entity::find().from_raw_sql(statement).all(&tx).await?;
        for job in &jobs {
            let error = format!("the worker {} was lost", job.worker.as_deref().unwrap_or("?"));
            record_attempt(&tx, job, AttemptOutcome::Crashed, error).await?;
        }
        tx.commit().await?;
        let (ready, ended): (Vec<_>, Vec<_>) = jobs.iter().partition(|job| job.state == JobState::Ready);
        swept.recovered += ready.len();
        swept.ended += ended.len();
        Ok(())
    }

    /// Releases jobs whose subjobs have all ended.
    async fn release(&self) -> Result<usize, DbErr> {
        let sql = self.sql();
        let free = "state = 'ready' AND waits AND NOT EXISTS (SELECT 1 FROM jobs child \
                    WHERE child.parent_id = jobs.id AND child.state IN ('ready', 'running'))";
        if !self.has_any("jobs", free).await? {
            return Ok(0);
        }
        let query = format!(
            "UPDATE jobs SET waits = false, next_dispatch_at = run_at, epoch = epoch + 1 WHERE id IN \
             (SELECT id FROM jobs WHERE {free} ORDER BY id LIMIT {BATCH} {skip}) RETURNING {row}",
            row = columns::<job::Entity>(),
            skip = sql.skip_locked(),
        );
        let jobs = job::Entity::find()
            .from_raw_sql(sql.statement(&query, []))
            .all(&db::writing(&self.db))
            .await?;
        let due = jobs.iter().filter(|job| job.run_at <= now());
        self.transport.push(due.map(WakeUp::of).collect());
        Ok(jobs.len())
    }

    async fn expire(&self) -> Result<usize, DbErr> {
        let sql = self.sql();
        let expired = format!(
            "state = 'ready' AND expires_at IS NOT NULL AND expires_at <= {}",
            sql.now()
        );
        if !self.has_any("jobs", &expired).await? {
            return Ok(0);
        }
        let query = format!(
            "UPDATE jobs SET state = 'dead', finished_at = {now}, last_error = 'expired before it could run' \
             WHERE {chosen}",
            now = sql.now(),
            chosen = sql.chosen(&format!(
                "SELECT id FROM jobs WHERE {expired} ORDER BY expires_at LIMIT {BATCH} {}",
                sql.skip_locked()
            )),
        );
        let done = db::writing(&self.db).execute_raw(sql.statement(&query, [])).await?;
        Ok(usize::try_from(done.rows_affected()).unwrap_or(usize::MAX))
    }
}
