//! What a failed statement means.

use sea_orm::{DbErr, RuntimeErr, sqlx};

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
