//! Queuing writers. SQLite has one writer at a time; others sleep for up to a tenth of a second and try again, so that
//! unlucky ones wait for seconds. Writers of one process therefore queue here, first come, first served; the busy
//! timeout remains for other processes.

use std::{
    collections::HashMap,
    ops::Deref,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use sea_orm::{
    ConnAcquireErr, ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, ExecResult,
    QueryResult, SqliteTransactionMode, Statement, TransactionOptions, TransactionTrait,
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::commit_gate::CommitGate;
use crate::foundation::trace;

/// As long as SQLite itself would wait.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

/// One writer for each SQLite file that this process has open. The lock belongs to the file, however often it was
/// opened, so this is one of the few global variables.
static WRITERS: Mutex<Option<HashMap<PathBuf, Arc<Semaphore>>>> = Mutex::new(None);

/// The right to write, until it is dropped. PostgreSQL doesn't need it.
type Turn = Option<OwnedSemaphorePermit>;

async fn turn(db: &DatabaseConnection) -> Result<Turn, DbErr> {
    if db.get_database_backend() != DbBackend::Sqlite {
        return Ok(None);
    }
    let options = db.get_sqlite_connection_pool().connect_options();
    let writer = {
        let mut writers = WRITERS.lock().unwrap_or_else(PoisonError::into_inner);
        let writers = writers.get_or_insert_default();
        match writers.get(options.get_filename()) {
            Some(writer) => Arc::clone(writer),
            None => {
                let writer = writers.entry(options.get_filename().to_owned()).or_insert_with(one);
                Arc::clone(writer)
            }
        }
    };
    match tokio::time::timeout(PATIENCE, writer.acquire_owned()).await {
        Ok(Ok(permit)) => Ok(Some(permit)),
        Ok(Err(_)) | Err(_) => Err(DbErr::ConnectionAcquire(ConnAcquireErr::Timeout)),
    }
}

fn one() -> Arc<Semaphore> {
    Arc::new(Semaphore::new(1))
}

/// A transaction that writes. Dropping it rolls back.
#[derive(Debug)]
pub struct WriteTransaction {
    // Dropped in this order, so that the rollback is sent before the next writer's turn.
    inner: DatabaseTransaction,
    _turn: Turn,
}

impl WriteTransaction {
    /// Fails, and rolls back, if the operation was cut off before ([`super::cut_before_commit`]).
    pub async fn commit(self) -> Result<(), DbErr> {
        if CommitGate::current().is_some_and(|gate| !gate.pass()) {
            return Err(DbErr::Custom("the operation's time is up".to_owned()));
        }
        let backend = self.inner.get_database_backend();
        trace::timed("COMMIT", backend, self.inner.commit()).await
    }

    pub async fn rollback(self) -> Result<(), DbErr> {
        self.inner.rollback().await
    }
}

impl Deref for WriteTransaction {
    type Target = DatabaseTransaction;

    fn deref(&self) -> &DatabaseTransaction {
        &self.inner
    }
}

/// Starts a transaction that will write. On SQLite it takes the write lock at once (`BEGIN IMMEDIATE`), in its turn: a
/// deferred one that reads first fails if somebody else writes in between. Fails after waiting 5 s.
pub async fn begin(db: &DatabaseConnection) -> Result<WriteTransaction, DbErr> {
    // Before taking a connection, so that waiting writers keep none from readers.
    let turn = turn(db).await?;
    let options = TransactionOptions {
        sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
        ..Default::default()
    };
    Ok(WriteTransaction {
        inner: db.begin_with_options(options).await?,
        _turn: turn,
    })
}

/// A connection in a transaction. Functions that must not write outside one take it instead of any connection.
pub trait Transactional: ConnectionTrait {
    fn transaction(&self) -> &DatabaseTransaction;
}

impl Transactional for DatabaseTransaction {
    fn transaction(&self) -> &DatabaseTransaction {
        self
    }
}

impl Transactional for WriteTransaction {
    fn transaction(&self) -> &DatabaseTransaction {
        &self.inner
    }
}

/// A part of a transaction: if it fails, only what it wrote is rolled back, and the transaction can go on. Costs two
/// statements.
pub async fn savepoint<T, E: From<DbErr>>(
    conn: &impl Transactional,
    part: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    conn.execute_unprepared("SAVEPOINT part").await?;
    let done = part.await;
    if done.is_err() {
        conn.execute_unprepared("ROLLBACK TO SAVEPOINT part").await?;
    }
    conn.execute_unprepared("RELEASE SAVEPOINT part").await?;
    done
}

/// For statements that write outside a transaction: each takes its turn.
#[must_use]
pub const fn writing(db: &DatabaseConnection) -> Writing<'_> {
    Writing(db)
}

/// See [`writing`].
#[derive(Clone, Copy, Debug)]
pub struct Writing<'a>(&'a DatabaseConnection);

#[async_trait]
impl ConnectionTrait for Writing<'_> {
    fn get_database_backend(&self) -> DbBackend {
        self.0.get_database_backend()
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        let _turn = turn(self.0).await?;
        self.0.execute_raw(statement).await
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        let _turn = turn(self.0).await?;
        self.0.execute_unprepared(sql).await
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        let _turn = turn(self.0).await?;
        self.0.query_one_raw(statement).await
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        let _turn = turn(self.0).await?;
        self.0.query_all_raw(statement).await
    }
}

#[async_trait]
impl ConnectionTrait for WriteTransaction {
    fn get_database_backend(&self) -> DbBackend {
        self.inner.get_database_backend()
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        self.inner.execute_raw(statement).await
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        self.inner.execute_unprepared(sql).await
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        self.inner.query_one_raw(statement).await
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        self.inner.query_all_raw(statement).await
    }
}
