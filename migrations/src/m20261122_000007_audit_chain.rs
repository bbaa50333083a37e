//! Tamper evidence for the audit log: each row has its hash, and keyed seals chain the rows in batches.

use sea_orm_migration::prelude::*;

use crate::dialect::{run, run_either};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(manager, UP).await?;
        run_either(manager, TRIGGERS_POSTGRES, TRIGGERS_SQLITE).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run_either(
            manager,
            "DROP TRIGGER audit_log_to_seal ON audit_log; DROP FUNCTION audit_log_to_seal();",
            "DROP TRIGGER audit_log_to_seal;",
        )
        .await?;
        run(manager, DOWN).await?;
        run_either(manager, "DROP FUNCTION audit_seals_append_only();", "").await
    }
}

// Rows are sealed after their commit: a chain extended by every writer would be a lock that every writer waits for. A
// seal's number is one more than the last one's, so that two sealers cannot fork the chain; it lists its rows, because
// ids are assigned before the commit and may become visible late.
const UP: &str = r"
ALTER TABLE audit_log ADD COLUMN row_hash {bytes};

CREATE TABLE audit_seals (
    id         bigint PRIMARY KEY NOT NULL,
    audit_ids  {json} NOT NULL,
    chain_hash {bytes} NOT NULL,
    sealed_at  {time} NOT NULL
);

CREATE TABLE audit_unsealed (audit_id bigint PRIMARY KEY NOT NULL);
INSERT INTO audit_unsealed SELECT id FROM audit_log;
";

const TRIGGERS_POSTGRES: &str = "
CREATE FUNCTION audit_log_to_seal() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO audit_unsealed VALUES (NEW.id);
    RETURN NULL;
END $$;
CREATE TRIGGER audit_log_to_seal AFTER INSERT ON audit_log
    FOR EACH ROW EXECUTE FUNCTION audit_log_to_seal();

CREATE FUNCTION audit_seals_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'audit_seals is append-only';
END $$;
CREATE TRIGGER audit_seals_no_change BEFORE UPDATE OR DELETE ON audit_seals
    FOR EACH ROW EXECUTE FUNCTION audit_seals_append_only();
CREATE TRIGGER audit_seals_no_truncate BEFORE TRUNCATE ON audit_seals
    FOR EACH STATEMENT EXECUTE FUNCTION audit_seals_append_only();
";

const TRIGGERS_SQLITE: &str = "
CREATE TRIGGER audit_log_to_seal AFTER INSERT ON audit_log
BEGIN INSERT INTO audit_unsealed VALUES (NEW.id); END;

CREATE TRIGGER audit_seals_no_update BEFORE UPDATE ON audit_seals
BEGIN SELECT RAISE(ABORT, 'audit_seals is append-only'); END;
CREATE TRIGGER audit_seals_no_delete BEFORE DELETE ON audit_seals
BEGIN SELECT RAISE(ABORT, 'audit_seals is append-only'); END;
";

const DOWN: &str = "
DROP TABLE audit_unsealed;
DROP TABLE audit_seals;
ALTER TABLE audit_log DROP COLUMN row_hash;
";
