//! What belongs to a member of staff: the columns they chose for each list, and the accounts they impersonate.

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

// Every request of staff looks for an open impersonation; there are few among millions of sessions.
const UP: &str = "
CREATE TABLE chosen_columns (
    user_id bigint NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    list    text NOT NULL,
    columns text NOT NULL,
    PRIMARY KEY (user_id, list)
);

CREATE INDEX sessions_impersonator_idx ON sessions (impersonator_id)
    WHERE impersonator_id IS NOT NULL AND ended_at IS NULL;
";

const DOWN: &str = "
DROP INDEX sessions_impersonator_idx;
DROP TABLE chosen_columns;
";
