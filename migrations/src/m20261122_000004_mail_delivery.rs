//! Why mail is held: a server that rejects it, addresses that don't exist. And the address that a token is about.

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

const UP: &str = r"
CREATE TABLE mail_breakers (
    server    text PRIMARY KEY NOT NULL,
    reason    text NOT NULL,
    refusals  integer NOT NULL,
    opened_at {time} NOT NULL,
    probe_at  {time} NOT NULL
);

CREATE TABLE mail_suppressions (
    address_key text {bytewise} PRIMARY KEY NOT NULL,
    answer      text NOT NULL,
    user_id     bigint,
    created_at  {time} NOT NULL
);
CREATE INDEX mail_suppressions_user_idx ON mail_suppressions (user_id) WHERE user_id IS NOT NULL;

ALTER TABLE mail_tokens ADD COLUMN email text;
";

const DOWN: &str = "
ALTER TABLE mail_tokens DROP COLUMN email;
DROP TABLE mail_suppressions;
DROP TABLE mail_breakers;
";
