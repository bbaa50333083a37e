//! What was started in a session and ends with it: setting up an authenticator app, and impersonating a user.

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

// No foreign key: a factor outlives the session, and the previous release doesn't touch the columns.
const UP: &str = "
ALTER TABLE mfa_factors ADD COLUMN session_id {uuid};
ALTER TABLE sessions ADD COLUMN impersonator_session_id {uuid};
";

const DOWN: &str = "
ALTER TABLE sessions DROP COLUMN impersonator_session_id;
ALTER TABLE mfa_factors DROP COLUMN session_id;
";
