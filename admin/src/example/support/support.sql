CREATE TABLE tickets (
    id           {id},
    subject      text NOT NULL,
    body         text NOT NULL DEFAULT '',
    requester_id bigint REFERENCES users (id) ON DELETE SET NULL,
    state        text NOT NULL CHECK (state IN ('open', 'closed')),
    version      integer NOT NULL DEFAULT 1,
    created_at   {time} NOT NULL,
    updated_at   {time} NOT NULL
);
CREATE INDEX tickets_requester_idx ON tickets (requester_id, id);
CREATE TABLE tags (
    id   {id},
    name text NOT NULL UNIQUE
);
CREATE TABLE ticket_tags (
    ticket_id bigint NOT NULL REFERENCES tickets (id) ON DELETE CASCADE,
    tag_id    bigint NOT NULL REFERENCES tags (id) ON DELETE CASCADE,
    PRIMARY KEY (ticket_id, tag_id)
);
CREATE INDEX ticket_tags_tag_idx ON ticket_tags (tag_id);
