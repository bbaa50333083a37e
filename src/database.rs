//! The database as the commands use it.

use anyhow::Result;
use sea_orm::DatabaseConnection;
use usher_shared::{
    Config,
    db::{self, PoolOptions},
};

/// Two connections to a database whose schema is up to date.
pub async fn open(config: &Config) -> Result<DatabaseConnection> {
    let options = PoolOptions {
        max_connections: 2,
        ..PoolOptions::default()
    };
    let db = db::connect(&config.database_url, &options).await?;
    db::check_schema(&db).await?;
    Ok(db)
}
