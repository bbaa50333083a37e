//! Applying steps and rolling them back, each with its record in one transaction.

use std::time::SystemTime;

use sea_orm_migration::{
    MigratorTraitSelf,
    prelude::*,
    sea_orm::{ConnectionTrait, DatabaseConnection, DatabaseTransaction, Statement, TransactionTrait, Value},
};

use crate::app::Schema;

/// Of one step.
enum Direction {
    Up,
    Down,
}

impl Schema {
    /// The names of the applied steps, oldest first: by the time at which they were applied, and within a second in the
    /// program's order. The table of steps must exist.
    pub async fn applied(&self, db: &DatabaseConnection) -> Result<Vec<String>, DbErr> {
        let query = "SELECT version, applied_at FROM seaql_migrations";
        let rows = db
            .query_all_raw(Statement::from_string(db.get_database_backend(), query))
            .await?;
        let own = self.migrations();
        let mut applied = vec![];
        for row in rows {
            let (name, at): (String, i64) = (row.try_get("", "version")?, row.try_get("", "applied_at")?);
            // What the program doesn't know came after what it knows.
            let place = own.iter().position(|step| step.name() == name).unwrap_or(own.len());
            applied.push((at, place, name));
        }
        applied.sort();
        Ok(applied.into_iter().map(|(_, _, name)| name).collect())
    }

    /// The steps that are not applied yet, in order.
    pub async fn pending(&self, db: &DatabaseConnection) -> Result<Vec<Box<dyn MigrationTrait>>, DbErr> {
        let applied = self.applied(db).await?;
        let mut steps = self.migrations();
        steps.retain(|step| !applied.iter().any(|name| name == step.name()));
        Ok(steps)
    }
}

/// Applies a step.
pub async fn apply(db: &DatabaseConnection, step: &dyn MigrationTrait) -> Result<(), DbErr> {
    run(db, step, &Direction::Up).await
}

/// Rolls a step back.
pub async fn undo(db: &DatabaseConnection, step: &dyn MigrationTrait) -> Result<(), DbErr> {
    run(db, step, &Direction::Down).await
}

async fn run(db: &DatabaseConnection, step: &dyn MigrationTrait, direction: &Direction) -> Result<(), DbErr> {
    let tx = db.begin().await?;
    let manager = SchemaManager::new(&tx);
    match direction {
        Direction::Up => step.up(&manager).await?,
        Direction::Down => step.down(&manager).await?,
    }
    record(&tx, step.name(), direction).await?;
    tx.commit().await
}

async fn record(tx: &DatabaseTransaction, name: &str, direction: &Direction) -> Result<(), DbErr> {
    let since = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    let at: i64 = since.as_secs().try_into().unwrap_or(i64::MAX);
    let (query, values): (_, Vec<Value>) = match direction {
        Direction::Up => (
            "INSERT INTO seaql_migrations (version, applied_at) VALUES ($1, $2)",
            vec![name.into(), at.into()],
        ),
        Direction::Down => ("DELETE FROM seaql_migrations WHERE version = $1", vec![name.into()]),
    };
    let statement = Statement::from_sql_and_values(tx.get_database_backend(), query, values);
    tx.execute_raw(statement).await.map(drop)
}
