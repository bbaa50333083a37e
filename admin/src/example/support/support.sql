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
