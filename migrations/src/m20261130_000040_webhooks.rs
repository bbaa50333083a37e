//! Webhooks: where events are sent, and how each sending went.

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

// A delivery has no foreign key to its event: events are removed by age.
const UP: &str = "
CREATE TABLE webhook_endpoints (
    id                   {id},
    url                  text NOT NULL,
    description          text NOT NULL,
    types                text NOT NULL,
    public_key           text NOT NULL,
    keys_sealed          {bytes} NOT NULL,
    previous_keys_sealed {bytes},
    previous_until       {time},
    status               text NOT NULL CHECK (status IN ('enabled', 'disabled')),
    disabled_reason      text,
    created_by           bigint REFERENCES users (id) ON DELETE SET NULL,
    after_position       bigint NOT NULL,
    failures             integer NOT NULL,
    failing_since        {time},
    paused_until         {time},
    version              integer NOT NULL,
    created_at           {time} NOT NULL
);
CREATE INDEX webhook_endpoints_created_by_idx ON webhook_endpoints (created_by);

CREATE TABLE webhook_deliveries (
    id               {id},
    endpoint_id      bigint NOT NULL REFERENCES webhook_endpoints (id) ON DELETE CASCADE,
    position         bigint NOT NULL,
    event_id         {uuid} NOT NULL,
    type             text NOT NULL,
    state            text NOT NULL CHECK (state IN ('pending', 'delivered', 'failed')),
    attempts         integer NOT NULL,
    next_attempt_at  {time} NOT NULL,
    last_status      integer,
    last_error       text,
    last_response    text,
    last_duration_ms integer,
    delivered_at     {time},
    created_at       {time} NOT NULL
);
CREATE UNIQUE INDEX webhook_deliveries_endpoint_position_unique ON webhook_deliveries (endpoint_id, position);
CREATE INDEX webhook_deliveries_pending_idx ON webhook_deliveries (endpoint_id, position) WHERE state = 'pending';
CREATE INDEX webhook_deliveries_created_at_idx ON webhook_deliveries (created_at);

CREATE TABLE event_readers (
    name     text PRIMARY KEY NOT NULL,
    position bigint NOT NULL
);
INSERT INTO event_readers SELECT 'webhooks', COALESCE(MAX(id), 0) FROM events;
";

const DOWN: &str = "
DROP TABLE event_readers;
DROP TABLE webhook_deliveries;
DROP TABLE webhook_endpoints;
";
