//! The schema of tickets.

use usher::SqlMigration;

pub const ALL: &[SqlMigration] = &[SqlMigration::new("m20261201_000001_tickets", UP, DOWN)];

const UP: &str = "
CREATE TABLE tickets (
    id           {id},
    requester_id bigint NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    assignee_id  bigint REFERENCES users (id) ON DELETE SET NULL,
    subject      text NOT NULL,
    body         text NOT NULL,
    state        text NOT NULL CHECK (state IN ('open', 'pending', 'closed')),
    priority     text NOT NULL CHECK (priority IN ('low', 'normal', 'high')),
    is_overdue   boolean NOT NULL DEFAULT false,
    due_at       {time},
    version      integer NOT NULL DEFAULT 1,
    created_at   {time} NOT NULL,
    updated_at   {time} NOT NULL
);
CREATE INDEX tickets_requester_idx ON tickets (requester_id, id);
CREATE INDEX tickets_assignee_idx ON tickets (assignee_id, id);
CREATE INDEX tickets_state_idx ON tickets (state, id);
CREATE INDEX tickets_due_idx ON tickets (due_at, id);

CREATE TABLE tags (
    id   {id},
    name text NOT NULL UNIQUE
);

CREATE TABLE ticket_tags (
    ticket_id bigint NOT NULL REFERENCES tickets (id) ON DELETE CASCADE,
    tag_id    bigint NOT NULL REFERENCES tags (id) ON DELETE CASCADE,
    PRIMARY KEY (ticket_id, tag_id)
);
CREATE INDEX ticket_tags_tag_idx ON ticket_tags (tag_id, ticket_id);
";

const DOWN: &str = "
DROP TABLE ticket_tags;
DROP TABLE tags;
DROP TABLE tickets;
";
