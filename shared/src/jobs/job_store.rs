//! A handle on the jobs table, and the transaction that sends its jobs' wake-ups after the commit.

use std::{
    ops::Deref,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use sea_orm::{ConnectionTrait, DatabaseConnection, DbErr};

use super::transport::{Transport, WakeUp};
use crate::foundation::db::{self, ANSWER_LIMIT, InTime, Sql, WriteTransaction};

/// How long a new job waits for its wake-up before workers may poll it.
pub(super) const GRACE: Duration = Duration::from_secs(1);

/// The jobs table and the queue of wake-ups in front of it. Cheap to clone.
#[derive(Clone, Debug)]
pub struct JobStore {
    pub(super) db: DatabaseConnection,
    pub(super) transport: Arc<dyn Transport>,
}

impl JobStore {
    #[must_use]
    pub fn new(db: DatabaseConnection, transport: Arc<dyn Transport>) -> Self {
        Self { db, transport }
    }

    #[must_use]
    pub fn db(&self) -> &DatabaseConnection {
        &self.db
    }

    #[must_use]
    pub fn transport(&self) -> &Arc<dyn Transport> {
        &self.transport
    }

    /// Starts a transaction in which jobs can be enqueued.
    pub async fn begin(&self) -> Result<Tx, DbErr> {
        let inner = db::within(ANSWER_LIMIT, db::begin(&self.db)).await?;
        Ok(Tx {
            inner: InTime(inner),
            transport: Arc::clone(&self.transport),
            wake_ups: Mutex::default(),
        })
    }

    /// Whether there are such rows. Most calls find none, and so lock nothing.
    pub(super) async fn has_any(&self, table: &str, which: &str) -> Result<bool, DbErr> {
        let query = format!("SELECT 1 FROM {table} WHERE {which} LIMIT 1");
        let row = self.db.query_one_raw(self.sql().statement(&query, [])).await?;
        Ok(row.is_some())
    }

    pub(super) fn sql(&self) -> Sql {
        Sql(self.db.get_database_backend())
    }
}

/// A transaction that knows the jobs written in it; each statement must be answered within 30 s. Dropping it rolls
/// back.
#[derive(Debug)]
pub struct Tx {
    inner: InTime<WriteTransaction>,
    transport: Arc<dyn Transport>,
    wake_ups: Mutex<Vec<WakeUp>>,
}

impl Deref for Tx {
    type Target = InTime<WriteTransaction>;

    fn deref(&self) -> &InTime<WriteTransaction> {
        &self.inner
    }
}

impl Tx {
    /// Commits, then sends the wake-ups. A lost wake-up only costs time, because workers poll the jobs table.
    pub async fn commit(self) -> Result<(), DbErr> {
        db::within(ANSWER_LIMIT, self.inner.0.commit()).await?;
        let wake_ups = self.wake_ups.into_inner().unwrap_or_else(PoisonError::into_inner);
        if !wake_ups.is_empty() {
            self.transport.push(wake_ups);
        }
        Ok(())
    }

    pub async fn rollback(self) -> Result<(), DbErr> {
        db::within(ANSWER_LIMIT, self.inner.0.rollback()).await
    }

    pub(super) fn remember(&self, wake_up: WakeUp) {
        self.wake_ups
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(wake_up);
    }

    /// How long a new job waits for its wake-up before workers may poll it.
    pub(super) fn dispatch_grace(&self) -> Duration {
        if self.transport.carries_wake_ups() {
            GRACE
        } else {
            Duration::ZERO
        }
    }
}
