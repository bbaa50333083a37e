//! The ledger as a handle, and the transaction that announces its jobs once it has committed.

use std::{
    ops::Deref,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use sea_orm::{DatabaseConnection, DbErr};

use super::{Hint, Transport, due::GRACE, sql::Sql};
use crate::db::{self, ANSWER_LIMIT, InTime, WriteTransaction};

/// The jobs table and the queue of hints in front of it. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Ledger {
    pub(super) db: DatabaseConnection,
    pub(super) transport: Arc<dyn Transport>,
}

impl Ledger {
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
            hints: Mutex::default(),
        })
    }

    pub(super) fn sql(&self) -> Sql {
        Sql(self.db.get_database_backend())
    }
}

/// A transaction that knows the jobs written in it, and waits 30 s for an answer at most. Dropping it rolls back.
#[derive(Debug)]
pub struct Tx {
    inner: InTime<WriteTransaction>,
    transport: Arc<dyn Transport>,
    hints: Mutex<Vec<Hint>>,
}

impl Deref for Tx {
    type Target = InTime<WriteTransaction>;

    fn deref(&self) -> &InTime<WriteTransaction> {
        &self.inner
    }
}

impl Tx {
    /// Commits, then announces the jobs. An announcement that gets lost only costs time: workers look into the ledger.
    pub async fn commit(self) -> Result<(), DbErr> {
        db::within(ANSWER_LIMIT, self.inner.0.commit()).await?;
        let hints = self.hints.into_inner().unwrap_or_else(PoisonError::into_inner);
        if !hints.is_empty() {
            self.transport.push(hints);
        }
        Ok(())
    }

    pub async fn rollback(self) -> Result<(), DbErr> {
        db::within(ANSWER_LIMIT, self.inner.0.rollback()).await
    }

    pub(super) fn remember(&self, hint: Hint) {
        self.hints.lock().unwrap_or_else(PoisonError::into_inner).push(hint);
    }

    /// How long a new job is left to its hint.
    pub(super) fn dispatch_grace(&self) -> Duration {
        if self.transport.carries_hints() {
            GRACE
        } else {
            Duration::ZERO
        }
    }
}
