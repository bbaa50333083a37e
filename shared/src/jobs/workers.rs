//! Which worker processes are online.

use sea_orm::{ConnectionTrait, DbErr};

use super::job_store::JobStore;
use crate::foundation::db;

/// What a worker reports about itself.
#[derive(Clone, Debug)]
pub struct WorkerInfo {
    /// Unique to the process.
    pub name: String,
    pub version: String,
    pub queues: Vec<String>,
    pub concurrency: usize,
    pub running: usize,
}

impl JobStore {
    /// Adds the worker to the list or renews its entry, and drops those unseen for a day.
    pub async fn worker_seen(&self, worker: &WorkerInfo) -> Result<(), DbErr> {
        let sql = self.sql();
        let query = format!(
            "INSERT INTO workers (name, version, queues, concurrency, running, started_at, seen_at) \
             VALUES ($1, $2, $3, $4, $5, {now}, {now}) \
             ON CONFLICT (name) DO UPDATE SET running = excluded.running, seen_at = excluded.seen_at",
            now = sql.now()
        );
        let number = |count: usize| i32::try_from(count).unwrap_or(i32::MAX);
        let values = [
            worker.name.as_str().into(),
            worker.version.as_str().into(),
            worker.queues.join(" ").into(),
            number(worker.concurrency).into(),
            number(worker.running).into(),
        ];
        db::writing(&self.db).execute_raw(sql.statement(&query, values)).await?;
        let forget = format!("DELETE FROM workers WHERE seen_at < {}", sql.after("$1"));
        db::writing(&self.db)
            .execute_raw(sql.statement(&forget, [(-86_400.0).into()]))
            .await
            .map(drop)
    }

    /// Removes the worker from the list at shutdown.
    pub async fn worker_gone(&self, name: &str) -> Result<(), DbErr> {
        let query = self
            .sql()
            .statement("DELETE FROM workers WHERE name = $1", [name.into()]);
        db::writing(&self.db).execute_raw(query).await.map(drop)
    }
}
