CREATE TABLE articles (
    id           {id},
    title        text NOT NULL,
    author_id    bigint NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    state        text NOT NULL CHECK (state IN ('draft', 'published')),
    published_at {time},
    version      integer NOT NULL DEFAULT 1,
    created_at   {time} NOT NULL,
    updated_at   {time} NOT NULL
);
CREATE INDEX articles_author_idx ON articles (author_id, id);
CREATE INDEX articles_published_idx ON articles (published_at, id);
