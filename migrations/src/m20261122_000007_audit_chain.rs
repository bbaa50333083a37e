//! Proof that the audit log is whole: each row carries its hash, and keyed seals chain the rows in batches.

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
        run(
            manager,
            "DROP TABLE audit_seals; ALTER TABLE audit_log DROP COLUMN row_hash;",
        )
        .await?;
        run_either(manager, "DROP FUNCTION IF EXISTS audit_seals_append_only();", "").await
    }
}

// Rows are sealed after they committed, not in a trigger: a chain that every writer extends is a lock that every
// writer waits for. Each seal names its rows, because ids are given before commits and may become visible late.
const UP: &str = r"
ALTER TABLE audit_log ADD COLUMN row_hash {bytes};

CREATE TABLE audit_seals (
    id         {id},
    audit_ids  {json} NOT NULL,
    chain_hash {bytes} NOT NULL,
    sealed_at  {time} NOT NULL
);
";

const APPEND_ONLY_POSTGRES: &str = "
CREATE OR REPLACE FUNCTION audit_seals_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'audit_seals is append-only';
END $$;
CREATE TRIGGER audit_seals_no_change BEFORE UPDATE OR DELETE ON audit_seals
    FOR EACH ROW EXECUTE FUNCTION audit_seals_append_only();
CREATE TRIGGER audit_seals_no_truncate BEFORE TRUNCATE ON audit_seals
    FOR EACH STATEMENT EXECUTE FUNCTION audit_seals_append_only();
";

const APPEND_ONLY_SQLITE: &str = "
CREATE TRIGGER audit_seals_no_update BEFORE UPDATE ON audit_seals
BEGIN SELECT RAISE(ABORT, 'audit_seals is append-only'); END;
CREATE TRIGGER audit_seals_no_delete BEFORE DELETE ON audit_seals
BEGIN SELECT RAISE(ABORT, 'audit_seals is append-only'); END;
";
