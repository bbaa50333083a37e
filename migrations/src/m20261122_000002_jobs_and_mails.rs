//! The jobs table with attempts, schedules, queues and workers, and the mails.

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

// Jobs and mails name their user without a foreign key: they outlive the account, and the
// check would lock the user's row for each job.
const UP: &str = r"
CREATE TABLE jobs (
    id               {uuid} PRIMARY KEY NOT NULL,
    queue            text NOT NULL,
    kind             text NOT NULL,
    version          smallint NOT NULL DEFAULT 1,
    payload          {json} NOT NULL,
    state            text NOT NULL DEFAULT 'ready'
                     CHECK (state IN ('ready', 'running', 'done', 'dead', 'cancelled')),
    priority         smallint NOT NULL DEFAULT 5,
    run_at           {time} NOT NULL,
    next_dispatch_at {time} NOT NULL,
    epoch            integer NOT NULL DEFAULT 0,
    attempt          integer NOT NULL DEFAULT 0,
    max_attempts     integer,
    crashes          integer NOT NULL DEFAULT 0,
    timeout_seconds  integer,
    expires_at       {time},
    lease_until      {time},
    lease_token      {uuid},
    worker           text,
    cancel_requested boolean NOT NULL DEFAULT false,
    unique_key       text,
    parent_id        {uuid},
    waits            boolean NOT NULL DEFAULT false,
    user_id          bigint,
    actor            text,
    trace_context    text,
    progress         smallint,
    result           {json},
    last_error       text,
    created_at       {time} NOT NULL,
    started_at       {time},
    finished_at      {time}
);
CREATE INDEX jobs_due_idx ON jobs (queue, priority, next_dispatch_at, id)
    WHERE state = 'ready' AND crashes = 0 AND NOT waits;
CREATE INDEX jobs_suspect_idx ON jobs (next_dispatch_at) WHERE state = 'ready' AND crashes > 0;
CREATE INDEX jobs_waiting_idx ON jobs (id) WHERE state = 'ready' AND waits;
CREATE INDEX jobs_parent_idx ON jobs (parent_id) WHERE parent_id IS NOT NULL;
CREATE INDEX jobs_expires_idx ON jobs (expires_at) WHERE state = 'ready' AND expires_at IS NOT NULL;
CREATE INDEX jobs_lease_idx ON jobs (lease_until) WHERE state = 'running';
CREATE UNIQUE INDEX jobs_unique_key_unique ON jobs (kind, unique_key)
    WHERE unique_key IS NOT NULL AND state IN ('ready', 'running');
CREATE INDEX jobs_finished_idx ON jobs (state, finished_at) WHERE state IN ('done', 'dead', 'cancelled');
CREATE INDEX jobs_dead_idx ON jobs (id) WHERE state = 'dead';
CREATE INDEX jobs_kind_idx ON jobs (kind, id);
CREATE INDEX jobs_user_idx ON jobs (user_id, id) WHERE user_id IS NOT NULL;

CREATE TABLE job_attempts (
    id          {id},
    job_id      {uuid} NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    attempt     integer NOT NULL,
    outcome     text NOT NULL
                CHECK (outcome IN ('failed', 'timed_out', 'panicked', 'crashed', 'gave_up', 'cancelled', 'expired')),
    error       text NOT NULL,
    worker      text,
    started_at  {time},
    finished_at {time} NOT NULL
);
CREATE INDEX job_attempts_job_idx ON job_attempts (job_id, id);

CREATE TABLE job_schedules (
    id          {id},
    name        text NOT NULL,
    queue       text NOT NULL,
    kind        text NOT NULL,
    version     smallint NOT NULL DEFAULT 1,
    payload     {json} NOT NULL,
    priority    smallint NOT NULL DEFAULT 5,
    cron        text NOT NULL,
    time_zone   text NOT NULL DEFAULT 'UTC',
    catch_up    text NOT NULL DEFAULT 'one' CHECK (catch_up IN ('one', 'all', 'skip')),
    enabled     boolean NOT NULL DEFAULT true,
    next_run_at {time} NOT NULL,
    last_run_at {time},
    row_version integer NOT NULL DEFAULT 1,
    created_at  {time} NOT NULL,
    updated_at  {time} NOT NULL
);
CREATE UNIQUE INDEX job_schedules_name_unique ON job_schedules (name);
CREATE INDEX job_schedules_due_idx ON job_schedules (next_run_at) WHERE enabled;

CREATE TABLE job_queues (
    name      text PRIMARY KEY NOT NULL,
    paused_at {time},
    paused_by text
);

CREATE TABLE workers (
    name        text PRIMARY KEY NOT NULL,
    version     text NOT NULL,
    queues      text NOT NULL,
    concurrency integer NOT NULL,
    running     integer NOT NULL DEFAULT 0,
    started_at  {time} NOT NULL,
    seen_at     {time} NOT NULL
);
CREATE INDEX workers_seen_at_idx ON workers (seen_at);

CREATE TABLE mails (
    id         {uuid} PRIMARY KEY NOT NULL,
    job_id     {uuid},
    kind       text NOT NULL,
    user_id    bigint,
    to_address text NOT NULL,
    subject    text NOT NULL,
    state      text NOT NULL CHECK (state IN ('reserved', 'sent', 'kept', 'failed', 'unknown')),
    message_id text NOT NULL,
    answer     text,
    text_body  text,
    html_body  text,
    created_at {time} NOT NULL,
    sent_at    {time}
);
CREATE UNIQUE INDEX mails_job_unique ON mails (job_id) WHERE job_id IS NOT NULL;
CREATE INDEX mails_user_idx ON mails (user_id, id) WHERE user_id IS NOT NULL;
CREATE INDEX mails_trouble_idx ON mails (state, id) WHERE state IN ('failed', 'unknown');
CREATE INDEX mails_to_address_idx ON mails (to_address, id);
";

const DOWN: &str = "
DROP TABLE mails;
DROP TABLE workers;
DROP TABLE job_queues;
DROP TABLE job_schedules;
DROP TABLE job_attempts;
DROP TABLE jobs;
";
