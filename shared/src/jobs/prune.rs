//! Forgetting what is long finished, in batches small enough to hold nobody up.

use sea_orm::{ConnectionTrait, DbErr};

use crate::foundation::db::{self, ForeignKeys};

use super::JobStore;

/// How long finished rows are kept, in days.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Jobs that are done or were cancelled.
    pub finished_days: u32,
    /// Dead jobs, which somebody may still want to replay.
    pub dead_days: u32,
    /// Mails in the log.
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
    /// Removes one batch of each; call it until it removes nothing. Attempts go with their job; what a product's table
    /// holds stays.
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
                "DELETE FROM jobs WHERE id IN (SELECT id FROM jobs WHERE state = '{state}' AND finished_at < {} AND {jobs} \
                 ORDER BY finished_at LIMIT {BATCH} {})",
                sql.after("$1"),
                sql.skip_locked()
            );
            pruned.jobs += db
                .execute_raw(sql.statement(&query, [days(kept)]))
                .await?
                .rows_affected();
        }
        // Ids are UUIDv7: the oldest rows come first without an index of their own.
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
