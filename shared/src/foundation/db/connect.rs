//! Opening the database, on either engine, with the settings that the application relies on.

use std::{io, time::Duration};

use sea_orm::{
    ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbErr, Statement,
    sqlx::{
        self, Connection, Executor, PgConnection,
        postgres::PgPoolOptions,
        sqlite::{SqliteJournalMode, SqliteSynchronous},
    },
};
use thiserror::Error;

use super::{pooler, writing};
use crate::foundation::trace;

/// How a process uses its database.
#[derive(Clone, Copy, Debug)]
pub struct PoolOptions {
    /// The most connections; at least 1.
    pub max_connections: u32,
    /// Whether to create a missing SQLite file.
    pub create: bool,
    /// Whether to test a PostgreSQL connection when it returns to the pool, and close it if it doesn't answer. After a
    /// call that timed out it would otherwise keep its place in the pool until TCP times out, a quarter of an hour
    /// later. Costs one round trip, which no caller waits for.
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

/// A connection that was idle for this long is tested before use.
const RESTED: Duration = Duration::from_secs(1);
/// A test must be answered within this time: a firewall may have dropped the connection.
const ANSWERS_WITHIN: Duration = Duration::from_secs(2);

/// PostgreSQL ends a transaction that is idle for this long: its program may have vanished (power, a firewall), and TCP
/// takes hours to notice. Until then its rows would stay locked. A pooler may keep the setting for other connections of
/// the application, which use the same.
const NO_SILENT_TRANSACTIONS: &str = "SET idle_in_transaction_session_timeout = '30s'";

/// The database doesn't answer; the text is one line without a password.
#[derive(Debug, Error)]
#[error("cannot open the database {database} (DATABASE_URL): {reason}")]
pub struct ConnectError {
    database: String,
    reason: String,
}

/// Opens a pool and checks that the database answers, within 5 seconds.
///
/// SQLite runs in WAL mode with foreign keys and a busy timeout of 5 s; `synchronous = NORMAL` can lose the last
/// commits when the power fails, but not when the process crashes.
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
        // An idle connection may have died with its server; a busy one isn't worth a round trip.
        .test_before_acquire_if_idle_for(RESTED)
        .sqlx_logging(false)
        // sqlx sets this for floats sent as text, which these never are; poolers reject parameters they don't know.
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
    // Boxed: a program's main future nests this one deeply, and the compiler limits the depth.
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
    let silent = |_| sqlx::Error::Io(io::Error::new(io::ErrorKind::TimedOut, "the connection doesn't answer"));
    tokio::time::timeout(ANSWERS_WITHIN, connection.ping())
        .await
        .map_err(silent)?
}

/// Whether the database answers.
pub async fn ping(db: &DatabaseConnection) -> Result<(), DbErr> {
    db.query_one_raw(Statement::from_string(db.get_database_backend(), "SELECT 1"))
        .await
        .map(drop)
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
