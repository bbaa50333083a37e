//! The audit log, which nobody can rewrite, and the responses kept for repeated requests.

use sea_orm_migration::prelude::*;

use crate::dialect::{run, run_either};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(manager, UP).await?;
        run_either(manager, APPEND_ONLY_POSTGRES, APPEND_ONLY_SQLITE).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(manager, "DROP TABLE idempotency_keys; DROP TABLE audit_log;").await?;
        run_either(manager, "DROP FUNCTION IF EXISTS audit_log_append_only();", "").await
    }
}

// No foreign keys: the log outlives the accounts it mentions.
const UP: &str = r"
CREATE TABLE audit_log (
    id           {id},
    at           {time} NOT NULL,
    actor_kind   text NOT NULL CHECK (actor_kind IN ('user', 'api_key', 'system', 'anonymous')),
    actor_id     bigint,
    actor_label  text NOT NULL,
    on_behalf_of bigint,
    action       text NOT NULL,
    object_type  text NOT NULL,
    object_id    text,
    object_label text,
    changes      {json},
    reason       text,
    address      text,
    request_id   text
);
CREATE INDEX audit_log_object_idx ON audit_log (object_type, object_id, id);
CREATE INDEX audit_log_actor_idx ON audit_log (actor_kind, actor_id, id);
CREATE INDEX audit_log_at_idx ON audit_log (at, id);

CREATE TABLE idempotency_keys (
    id          {id},
    caller      text NOT NULL,
    key         text NOT NULL,
    fingerprint {bytes} NOT NULL,
    status      smallint,
    headers     {json},
    body        {bytes},
    created_at  {time} NOT NULL,
    expires_at  {time} NOT NULL
);
CREATE UNIQUE INDEX idempotency_keys_caller_key_unique ON idempotency_keys (caller, key);
CREATE INDEX idempotency_keys_expires_at_idx ON idempotency_keys (expires_at);
";

const APPEND_ONLY_POSTGRES: &str = "
CREATE OR REPLACE FUNCTION audit_log_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'audit_log is append-only';
END $$;
CREATE TRIGGER audit_log_no_change BEFORE UPDATE OR DELETE ON audit_log
    FOR EACH ROW EXECUTE FUNCTION audit_log_append_only();
CREATE TRIGGER audit_log_no_truncate BEFORE TRUNCATE ON audit_log
    FOR EACH STATEMENT EXECUTE FUNCTION audit_log_append_only();
";

const APPEND_ONLY_SQLITE: &str = "
CREATE TRIGGER audit_log_no_update BEFORE UPDATE ON audit_log
BEGIN SELECT RAISE(ABORT, 'audit_log is append-only'); END;
CREATE TRIGGER audit_log_no_delete BEFORE DELETE ON audit_log
BEGIN SELECT RAISE(ABORT, 'audit_log is append-only'); END;
";
