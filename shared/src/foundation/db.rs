//! Opening the database, on either engine, with the settings that the application relies on.

mod columns;
mod commit_gate;
mod foreign_keys;
mod in_time;
mod literal_limits;
mod pooler;
mod writing;

use std::{io, panic::AssertUnwindSafe, time::Duration};

use chrono::{DateTime, Utc};
use futures::FutureExt;
use sea_orm::{
    ColumnTrait, ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbBackend, DbErr, RuntimeErr,
    Statement, Value,
    sea_query::{Expr, ExprTrait, SimpleExpr, ValueType, extension::postgres::PgFunc},
    sqlx::{
        self, Connection, Executor, PgConnection,
        postgres::PgPoolOptions,
        sqlite::{SqliteJournalMode, SqliteSynchronous},
    },
};
use thiserror::Error;

pub use columns::columns;
pub use commit_gate::{CommitGate, Cut, cut_before_commit, with_gate};
pub use foreign_keys::{ForeignKey, ForeignKeys};
pub(crate) use in_time::ANSWER_LIMIT;
pub use in_time::InTime;
pub use literal_limits::with_literal_limits;
pub use writing::{WriteTransaction, Writing, begin, writing};

use crate::{foundation::trace, jobs::Sql};

/// The newest migration this build needs. An older schema is refused at the start; a newer one is
/// welcome, because changes are made so that the previous release still runs on them.
pub const SCHEMA: &str = "m20261129_000080_lock_ends";

/// How a process uses its database.
#[derive(Clone, Copy, Debug)]
pub struct PoolOptions {
    /// Connections at most, 1 or more.
    pub max_connections: u32,
    /// Whether a missing SQLite file is made.
    pub create: bool,
    /// Whether a connection to PostgreSQL must answer soon when it comes back, or is closed. A call that was given up
    /// would otherwise keep its place in the pool for as long as TCP has hope, a quarter of an hour. It costs one more
    /// round trip, beside the way of whoever used it.
    pub test_on_release: bool,
}

impl Default for PoolOptions {
    fn default() -> Self {
        Self {
            max_connections: 16,
            create: false,
            test_on_release: false,
        }
    }
}

/// After this long without use a connection is tried before it is handed out.
const RESTED: Duration = Duration::from_secs(1);
/// A connection that is tried must answer within this: a firewall between may have forgotten it.
const ANSWERS_WITHIN: Duration = Duration::from_secs(2);

/// PostgreSQL ends a transaction that says nothing for this long: its program may be gone without a farewell (power, a
/// firewall), and TCP takes hours to find out. Until then nobody else gets at the rows it has locked. A pooler may keep
/// the setting for other connections of the application, which have the same.
const NO_SILENT_TRANSACTIONS: &str = "SET idle_in_transaction_session_timeout = '30s'";

/// The database does not answer; the text is one line and holds no password.
#[derive(Debug, Error)]
#[error("cannot open the database {database} (DATABASE_URL): {reason}")]
pub struct ConnectError {
    database: String,
    reason: String,
}

/// The database answers but is not as this build needs it.
#[derive(Debug, Error)]
pub enum SchemaError {
    #[error("the database has no schema yet: run `usher migrate up` first")]
    Missing,
    #[error("the database's schema is older than this program: run `usher migrate up` first")]
    Old,
    #[error("cannot read the database's schema version: {0}")]
    Db(#[from] DbErr),
}

/// Opens a pool and makes sure that the database answers, within 5 seconds.
///
/// SQLite runs in WAL mode with foreign keys and a busy timeout of 5 s; `synchronous = NORMAL` can lose
/// the last commits on a power cut, never on a crash of the process.
pub async fn connect(url: &str, options: &PoolOptions) -> Result<DatabaseConnection, ConnectError> {
    let PoolOptions {
        create,
        test_on_release,
        ..
    } = *options;
    let mut connect = ConnectOptions::new(url);
    connect
        .max_connections(options.max_connections)
        .connect_timeout(Duration::from_secs(5))
        .acquire_timeout(Duration::from_secs(5))
        // One that has rested may have died with its server; a busy one is not worth a round trip.
        .test_before_acquire_if_idle_for(RESTED)
        .sqlx_logging(false)
        // sqlx asks for digits of numbers sent as text, which these never are; poolers refuse what they do not know.
        .map_sqlx_postgres_opts(|postgres| postgres.extra_float_digits(None))
        .map_sqlx_postgres_pool_opts(move |pool| tried(pool, test_on_release))
        .map_sqlx_sqlite_opts(move |sqlite| {
            let sqlite = if create { sqlite.create_if_missing(true) } else { sqlite };
            sqlite
                .journal_mode(SqliteJournalMode::Wal)
                .synchronous(SqliteSynchronous::Normal)
                .busy_timeout(writing::PATIENCE)
                .foreign_keys(true)
                .pragma("temp_store", "memory")
        });
    let failed = |reason: String| ConnectError {
        database: place(url),
        reason,
    };
    // In a box: a program's main future holds this one within many others, and the compiler lays out only so many.
    let opened = Box::pin(async {
        let mut db = Database::connect(connect).await.map_err(|error| cause(&error))?;
        if trace::is_on() {
            db.set_metric_callback(trace::finished);
        }
        pooler::keeps_statements(&db).await?;
        Ok(db)
    });
    let opened = tokio::time::timeout(Duration::from_secs(6), opened).await;
    opened
        .unwrap_or_else(|_| Err("no answer within 6 s".to_owned()))
        .map_err(failed)
}

fn tried(pool: PgPoolOptions, test_on_release: bool) -> PgPoolOptions {
    let pool = pool
        .after_connect(|connection, _| {
            Box::pin(async move { connection.execute(NO_SILENT_TRANSACTIONS).await.map(drop) })
        })
        .before_acquire(|connection, rest| {
            Box::pin(async move {
                if rest.idle_for >= RESTED {
                    answer(connection).await?;
                }
                Ok(true)
            })
        });
    if !test_on_release {
        return pool;
    }
    pool.after_release(|connection, _| {
        Box::pin(async move {
            answer(connection).await?;
            Ok(true)
        })
    })
}

async fn answer(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    let silent = |_| sqlx::Error::Io(io::Error::new(io::ErrorKind::TimedOut, "the connection is silent"));
    tokio::time::timeout(ANSWERS_WITHIN, connection.ping())
        .await
        .map_err(silent)?
}

/// The answer to a call, or an outage when there is none in time; a panic is an error like any other. For tasks that many
/// wait for, and that must neither hang nor end.
pub async fn within<T>(limit: Duration, call: impl Future<Output = Result<T, DbErr>>) -> Result<T, DbErr> {
    match tokio::time::timeout(limit, AssertUnwindSafe(call).catch_unwind()).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(_)) => Err(DbErr::Custom("a statement's code panicked".to_owned())),
        Err(_) => Err(DbErr::Conn(RuntimeErr::Internal(format!("no answer within {limit:?}")))),
    }
}

/// The database's clock. Machines need not agree about the time where this one decides.
pub async fn clock(conn: &impl ConnectionTrait) -> Result<DateTime<Utc>, DbErr> {
    let sql = Sql(conn.get_database_backend());
    let query = sql.statement(&format!("SELECT {} AS now", sql.now()), []);
    let row = conn.query_one_raw(query).await?;
    row.ok_or_else(|| DbErr::RecordNotFound("the clock".to_owned()))?
        .try_get("", "now")
}

/// Rows whose column is one of these values. On PostgreSQL they are one parameter, so that a statement is prepared
/// once for any number of them.
pub fn any_of<C, V>(conn: &impl ConnectionTrait, column: C, values: Vec<V>) -> SimpleExpr
where
    C: ColumnTrait,
    V: Into<Value> + ValueType,
{
    if conn.get_database_backend() == DbBackend::Postgres {
        let values = values.into_iter().map(Into::into).collect();
        let values = Value::Array(V::array_type(), Some(Box::new(values)));
        Expr::col(column.as_column_ref()).eq(PgFunc::any(values))
    } else {
        column.is_in(values)
    }
}

/// The same database, whose answers are waited for 30 s at most.
#[must_use]
pub fn in_time(db: &DatabaseConnection) -> InTime<DatabaseConnection> {
    InTime(db.clone())
}

/// Whether the database answers.
pub async fn ping(db: &DatabaseConnection) -> Result<(), DbErr> {
    db.query_one_raw(Statement::from_string(db.get_database_backend(), "SELECT 1"))
        .await
        .map(drop)
}

/// Whether the schema is at least what this build needs.
pub async fn check_schema(db: &DatabaseConnection) -> Result<(), SchemaError> {
    let db = in_time(db);
    let backend = db.get_database_backend();
    let table = match backend {
        DbBackend::Sqlite => "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'seaql_migrations'",
        _ => "SELECT 1 WHERE to_regclass('seaql_migrations') IS NOT NULL",
    };
    if db
        .query_one_raw(Statement::from_string(backend, table))
        .await?
        .is_none()
    {
        return Err(SchemaError::Missing);
    }
    let newest = format!("SELECT 1 FROM seaql_migrations WHERE version = '{SCHEMA}'");
    if db
        .query_one_raw(Statement::from_string(backend, newest))
        .await?
        .is_some()
    {
        return Ok(());
    }
    let any = db
        .query_one_raw(Statement::from_string(
            backend,
            "SELECT 1 FROM seaql_migrations LIMIT 1",
        ))
        .await?;
    Err(if any.is_some() {
        SchemaError::Old
    } else {
        SchemaError::Missing
    })
}

/// Whether the database is away or too busy, so that the same call may work in a while.
#[must_use]
pub fn is_outage(error: &DbErr) -> bool {
    match error {
        DbErr::ConnectionAcquire(_) | DbErr::Conn(_) => true,
        DbErr::Exec(RuntimeErr::SqlxError(error)) | DbErr::Query(RuntimeErr::SqlxError(error)) => match &**error {
            sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::WorkerCrashed => {
                true
            }
            // PostgreSQL: shut down, crashed, starting; SQLite: locked for longer than the busy timeout.
            sqlx::Error::Database(error) => {
                matches!(error.code().as_deref(), Some("57P01" | "57P02" | "57P03" | "5"))
            }
            _ => false,
        },
        _ => false,
    }
}

/// Whether a statement failed because the database's disk is full.
#[must_use]
pub fn is_disk_full(error: &DbErr) -> bool {
    let (DbErr::Exec(RuntimeErr::SqlxError(error)) | DbErr::Query(RuntimeErr::SqlxError(error))) = error else {
        return false;
    };
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    // PostgreSQL's `disk_full` and SQLite's `SQLITE_FULL`.
    matches!(code.as_deref(), Some("53100" | "13"))
}

/// The name of the unique constraint or columns that an insert ran into, if that is what happened.
pub(crate) fn violated_unique(error: &DbErr) -> Option<String> {
    match error.sql_err() {
        Some(sea_orm::SqlErr::UniqueConstraintViolation(text)) => Some(text),
        _ => None,
    }
}

/// Host and database of a URL, without its user and password.
fn place(url: &str) -> String {
    match url::Url::parse(url) {
        Ok(url) if url.host_str().is_some_and(|host| !host.is_empty()) && url.scheme() != "sqlite" => {
            let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
            format!("at {}{port}{}", url.host_str().unwrap_or_default(), url.path())
        }
        _ => url.split('?').next().unwrap_or(url).to_owned(),
    }
}

/// The innermost reason in one line.
fn cause(error: &DbErr) -> String {
    let mut source: &dyn std::error::Error = error;
    while let Some(inner) = source.source() {
        source = inner;
    }
    let line = source.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
    if line.contains("timed out") {
        "no answer within 5 s".to_owned()
    } else {
        line
    }
}
