//! What happened, in the order in which others may rely on it, and up to where it was removed.

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

// `data` is text, not JSON: nobody looks inside, and it is sent as it was written.
const UP: &str = "
CREATE TABLE events (
    id             {id},
    event_id       {uuid} NOT NULL,
    at             {time} NOT NULL,
    type           text NOT NULL,
    object_id      text NOT NULL,
    object_version bigint,
    user_id        bigint,
    actor_kind     text NOT NULL CHECK (actor_kind IN ('user', 'api_key', 'system', 'anonymous')),
    actor_id       bigint,
    on_behalf_of   bigint,
    request_id     text,
    data           text NOT NULL
);
CREATE INDEX events_user_id_idx ON events (user_id, id);

CREATE TABLE event_streams (
    id              bigint PRIMARY KEY NOT NULL CHECK (id = 1),
    removed_through bigint NOT NULL
);
INSERT INTO event_streams VALUES (1, 0);
";

const DOWN: &str = "
DROP TABLE event_streams;
DROP TABLE events;
";
