//! Locks by their end: the worker finds expired ones to remove, and a list of locked users skips them.

use sea_orm_migration::prelude::*;

use crate::dialect::run;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(manager, UP).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(manager, DOWN).await
    }
}

const UP: &str = "
CREATE INDEX users_lock_ends_idx ON users (locked_until, id) WHERE status = 'locked' AND deleted_at IS NULL;
";

const DOWN: &str = "
DROP INDEX users_lock_ends_idx;
";
