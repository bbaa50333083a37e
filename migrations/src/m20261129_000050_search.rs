//! Users are found by any part of their name and address, regardless of letter case and accents, in a text that the
//! programs compute, because the two databases fold letters differently.

use sea_orm_migration::prelude::*;

use crate::dialect::run_either;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run_either(manager, UP_POSTGRES, UP_SQLITE).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run_either(manager, DOWN_POSTGRES, DOWN_SQLITE).await
    }
}

// Programs of the previous release write a name without the text. The trigger then clears it and the worker computes it
// again; until then the name itself is searched. Their old index is dropped, because each sign-up would pay for both;
// they find the same without it, by reading all names. Each search reads the index's pending entries, so these are
// limited to a megabyte.
const UP_POSTGRES: &str = "
ALTER TABLE users ADD COLUMN search_text text;
CREATE INDEX users_search_text_idx ON users USING gin (search_text gin_trgm_ops)
    WITH (gin_pending_list_limit = 1024);
CREATE INDEX users_search_text_missing_idx ON users (id) WHERE search_text IS NULL;
DROP INDEX users_name_words_idx;
CREATE FUNCTION users_forget_search_text() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.search_text := NULL;
    RETURN NEW;
END $$;
CREATE TRIGGER users_forget_search_text BEFORE UPDATE OF name, email ON users FOR EACH ROW
    WHEN ((NEW.name <> OLD.name OR NEW.email <> OLD.email) AND NEW.search_text IS NOT DISTINCT FROM OLD.search_text)
    EXECUTE FUNCTION users_forget_search_text();
";

const DOWN_POSTGRES: &str = "
CREATE INDEX users_name_words_idx ON users USING gin (lower(name) gin_trgm_ops);
DROP TRIGGER users_forget_search_text ON users;
DROP FUNCTION users_forget_search_text();
ALTER TABLE users DROP COLUMN search_text;
";

// The worker indexes a row's words some minutes later, in the order of ids; a search reads the rows after the last
// indexed one. Changes and deletions of indexed rows are applied to the index immediately.
const UP_SQLITE: &str = "
ALTER TABLE users ADD COLUMN search_text text;
CREATE INDEX users_search_text_missing_idx ON users (id) WHERE search_text IS NULL;
CREATE VIRTUAL TABLE users_search USING fts5 (
    search_text, content = 'users', content_rowid = 'id', tokenize = 'trigram case_sensitive 1'
);
CREATE TRIGGER users_forget_search_text AFTER UPDATE OF name, email ON users
    WHEN (NEW.name <> OLD.name OR NEW.email <> OLD.email) AND NEW.search_text IS OLD.search_text
BEGIN
    UPDATE users SET search_text = NULL WHERE id = NEW.id;
END;
CREATE TRIGGER users_search_insert AFTER INSERT ON users
    WHEN NEW.search_text IS NOT NULL AND NEW.id <= (SELECT max(id) FROM users_search_docsize)
BEGIN
    INSERT INTO users_search (rowid, search_text) VALUES (NEW.id, NEW.search_text);
END;
CREATE TRIGGER users_search_update AFTER UPDATE OF search_text ON users
    WHEN NEW.search_text IS NOT OLD.search_text AND NEW.id <= (SELECT max(id) FROM users_search_docsize)
BEGIN
    INSERT INTO users_search (users_search, rowid, search_text)
        SELECT 'delete', OLD.id, OLD.search_text WHERE OLD.search_text IS NOT NULL;
    INSERT INTO users_search (rowid, search_text)
        SELECT NEW.id, NEW.search_text WHERE NEW.search_text IS NOT NULL;
END;
CREATE TRIGGER users_search_delete AFTER DELETE ON users
    WHEN OLD.search_text IS NOT NULL AND OLD.id <= (SELECT max(id) FROM users_search_docsize)
BEGIN
    INSERT INTO users_search (users_search, rowid, search_text) VALUES ('delete', OLD.id, OLD.search_text);
END;
";

const DOWN_SQLITE: &str = "
DROP TRIGGER users_search_delete;
DROP TRIGGER users_search_update;
DROP TRIGGER users_search_insert;
DROP TRIGGER users_forget_search_text;
DROP TABLE users_search;
DROP INDEX users_search_text_missing_idx;
ALTER TABLE users DROP COLUMN search_text;
";
