//! The database as commands use it.

use std::sync::Arc;

use anyhow::Result;
use sea_orm::DatabaseConnection;
use usher_shared::{
    foundation::{
        config::Config,
        db::{self, PoolOptions},
    },
    jobs::{JobStore, PollOnly},
};

/// The job store, for commands that enqueue jobs; workers find them by polling.
pub fn job_store(db: &DatabaseConnection) -> JobStore {
    JobStore::new(db.clone(), Arc::new(PollOnly))
}

/// Connects to a database whose schema must be up to date.
pub async fn open(config: &Config) -> Result<DatabaseConnection> {
    let options = PoolOptions {
        max_connections: 2,
        ..PoolOptions::default()
    };
    let db = db::connect(&config.database_url, &options).await?;
    db::check_schema(&db).await?;
    Ok(db)
}
