//! What was begun in a session and ends with it: an authenticator app that waits for its first code, and acting for a user.

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

// No reference: a factor outlives the session, and the release before this one leaves the columns as they are.
const UP: &str = "
ALTER TABLE mfa_factors ADD COLUMN session_id {uuid};
ALTER TABLE sessions ADD COLUMN impersonator_session_id {uuid};
";

const DOWN: &str = "
ALTER TABLE sessions DROP COLUMN impersonator_session_id;
ALTER TABLE mfa_factors DROP COLUMN session_id;
";
