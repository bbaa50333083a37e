//! Whether the database has the schema that this build needs.

use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, DbErr, Statement};
use thiserror::Error;

use super::in_time::in_time;
use crate::foundation::program::Program;

/// The newest migration that this build needs. An older schema is refused at start; a newer one is fine, because
/// migrations keep the previous release working.
pub const SCHEMA: &str = "m20261130_000040_webhooks";

/// The database answers but its schema is not what this build needs.
#[derive(Debug, Error)]
pub enum SchemaError {
    #[error("the database has no schema yet: run `{} migrate up` first", Program::current().name)]
    Missing,
    #[error("the database's schema is older than this program: run `{} migrate up` first", Program::current().name)]
    Old,
    #[error("the schema of {app} is older than this program: run `{} migrate up` first", Program::current().name)]
    OldApp { app: &'static str },
    #[error("cannot read the database's schema version: {0}")]
    Db(#[from] DbErr),
}

/// Whether the schema is at least what this build needs, of Usher and of every app. One statement for each app, and two.
pub async fn check_schema(db: &DatabaseConnection) -> Result<(), SchemaError> {
    let db = in_time(db);
    let backend = db.get_database_backend();
    let table = match backend {
        DbBackend::Sqlite => "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'seaql_migrations'",
        _ => "SELECT 1 WHERE to_regclass('seaql_migrations') IS NOT NULL",
    };
    let finds = async |query: &str| {
        let found = db.query_one_raw(Statement::from_string(backend, query)).await?;
        Ok::<_, DbErr>(found.is_some())
    };
    if !finds(table).await? {
        return Err(SchemaError::Missing);
    }
    let has = async |newest: &str| {
        let query = format!("SELECT 1 FROM seaql_migrations WHERE version = '{newest}'");
        finds(&query).await
    };
    if !has(SCHEMA).await? {
        return Err(match finds("SELECT 1 FROM seaql_migrations LIMIT 1").await? {
            true => SchemaError::Old,
            false => SchemaError::Missing,
        });
    }
    for needed in &Program::current().schemas {
        if !has(needed.newest).await? {
            return Err(SchemaError::OldApp { app: needed.app });
        }
    }
    Ok(())
}
