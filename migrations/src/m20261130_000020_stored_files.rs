//! Files of products: what describes each, and the bytes of those that are kept in the database.

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
CREATE TABLE stored_files (
    id         {uuid} PRIMARY KEY NOT NULL,
    name       text NOT NULL,
    media_type text NOT NULL,
    size       bigint NOT NULL,
    sha256     {bytes} NOT NULL,
    place      text NOT NULL CHECK (place IN ('database', 'objects')),
    created_at {time} NOT NULL,
    held_by    text
);
CREATE INDEX stored_files_held_idx ON stored_files (held_by, id);

CREATE TABLE stored_file_chunks (
    file_id  {uuid} NOT NULL REFERENCES stored_files (id) ON DELETE CASCADE,
    position integer NOT NULL,
    bytes    {bytes} NOT NULL,
    PRIMARY KEY (file_id, position)
);
";

const DOWN: &str = "
DROP TABLE stored_file_chunks;
DROP TABLE stored_files;
";
