//! Deleting what finished long ago, in batches small enough not to block anybody.

use sea_orm::{ConnectionTrait, DbErr};

use crate::foundation::db::{self, ForeignKeys};

use super::job_store::JobStore;

/// How long finished rows are kept, in days.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Jobs that are done or were cancelled.
    pub finished_days: u32,
    /// Dead jobs, which staff may still want to retry.
    pub dead_days: u32,
    /// Mails.
    pub mail_days: u32,
}

impl Default for Retention {
    fn default() -> Self {
        Self {
            finished_days: 7,
            dead_days: 90,
            mail_days: 90,
        }
    }
}

/// Rows that one call removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    pub jobs: u64,
    pub mails: u64,
}

/// Rows in one statement.
const BATCH: i64 = 1_000;

impl JobStore {
    /// Deletes one batch of each; call it until it deletes nothing. Attempts go with their job; rows that a product's
    /// table refers to stay.
    pub async fn prune(&self, keep: Retention) -> Result<Pruned, DbErr> {
        let (sql, db) = (self.sql(), db::writing(&self.db));
        let days = |days: u32| -> sea_orm::Value { (-86_400.0 * f64::from(days)).into() };
        let mut pruned = Pruned::default();
        let keys = ForeignKeys::read(&self.db).await?;
        let (jobs, mails) = (keys.unheld("jobs"), keys.unheld("mails"));
        for (state, kept) in [
            ("done", keep.finished_days),
            ("cancelled", keep.finished_days),
            ("dead", keep.dead_days),
        ] {
            let query = format!(
                "DELETE FROM jobs WHERE id IN (SELECT id FROM jobs WHERE state = '{state}' AND finished_at < {} \
                 AND {jobs} ORDER BY finished_at LIMIT {BATCH} {})",
                sql.after("$1"),
                sql.skip_locked()
            );
            pruned.jobs += db
                .execute_raw(sql.statement(&query, [days(kept)]))
                .await?
                .rows_affected();
        }
        // Ids are UUIDv7, so the oldest rows come first without another index.
        let query = format!(
            "DELETE FROM mails WHERE id IN (SELECT id FROM (SELECT id, created_at FROM mails WHERE {mails} ORDER BY id \
             LIMIT {BATCH}) AS oldest WHERE created_at < {})",
            sql.after("$1")
        );
        pruned.mails = db
            .execute_raw(sql.statement(&query, [days(keep.mail_days)]))
            .await?
            .rows_affected();
        Ok(pruned)
    }
}
