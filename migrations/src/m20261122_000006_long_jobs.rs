//! Queues with limits, and the items and files of jobs over many rows.

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
ALTER TABLE job_queues ADD COLUMN max_running integer CHECK (max_running > 0);
ALTER TABLE job_queues ADD COLUMN starts_per_minute integer CHECK (starts_per_minute > 0);
ALTER TABLE job_queues ADD COLUMN started_through {time};

CREATE TABLE job_items (
    job_id    {uuid} NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    object_id text NOT NULL,
    outcome   text CHECK (outcome IN ('done', 'skipped', 'failed')),
    error     text,
    PRIMARY KEY (job_id, object_id)
);
CREATE INDEX job_items_left_idx ON job_items (job_id, object_id) WHERE outcome IS NULL;

CREATE TABLE job_files (
    id         {uuid} PRIMARY KEY NOT NULL,
    job_id     {uuid} NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    direction  text NOT NULL CHECK (direction IN ('in', 'out')),
    name       text NOT NULL,
    media_type text NOT NULL,
    created_at {time} NOT NULL
);
CREATE INDEX job_files_job_idx ON job_files (job_id);

CREATE TABLE job_file_chunks (
    file_id  {uuid} NOT NULL REFERENCES job_files (id) ON DELETE CASCADE,
    position integer NOT NULL,
    bytes    {bytes} NOT NULL,
    PRIMARY KEY (file_id, position)
);
";

const DOWN: &str = "
DROP TABLE job_file_chunks;
DROP TABLE job_files;
DROP TABLE job_items;
ALTER TABLE job_queues DROP COLUMN started_through;
ALTER TABLE job_queues DROP COLUMN starts_per_minute;
ALTER TABLE job_queues DROP COLUMN max_running;
";
