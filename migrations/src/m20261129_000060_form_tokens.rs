//! Submitted forms of the admin, each of which takes effect once however often it is sent. And a version of a queue's
//! limits, which reveals a stale form.

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
CREATE TABLE spent_form_tokens (
    token_hash {bytes} PRIMARY KEY,
    answer     {bytes},
    spent_at   {time} NOT NULL,
    expires_at {time} NOT NULL
);

CREATE INDEX spent_form_tokens_expires_idx ON spent_form_tokens (expires_at);

ALTER TABLE job_queues ADD COLUMN version integer NOT NULL DEFAULT 1;
";

const DOWN: &str = "
ALTER TABLE job_queues DROP COLUMN version;
DROP TABLE spent_form_tokens;
";
