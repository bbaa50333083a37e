CREATE TABLE categories (
    id   integer PRIMARY KEY AUTOINCREMENT,
    name text NOT NULL UNIQUE
);
CREATE TABLE products (
    id          integer PRIMARY KEY AUTOINCREMENT,
    name        text NOT NULL,
    description text NOT NULL DEFAULT '',
    state       text NOT NULL CHECK (state IN ('draft', 'on_sale', 'sold_out')),
    version     integer NOT NULL DEFAULT 1,
    created_at  text NOT NULL,
    updated_at  text NOT NULL
);
CREATE TABLE product_categories (
    product_id  bigint NOT NULL REFERENCES products (id) ON DELETE CASCADE,
    category_id bigint NOT NULL REFERENCES categories (id) ON DELETE CASCADE,
    PRIMARY KEY (product_id, category_id)
);
CREATE INDEX product_categories_category_idx ON product_categories (category_id);

-- What the engine itself writes: forms that took effect, columns that people chose, and the audit log.
CREATE TABLE spent_form_tokens (token_hash blob PRIMARY KEY, answer blob, spent_at text NOT NULL, expires_at text NOT NULL);
CREATE TABLE chosen_columns (user_id bigint NOT NULL, list text NOT NULL, columns text NOT NULL, PRIMARY KEY (user_id, list));
CREATE TABLE audit_log (
    id integer PRIMARY KEY AUTOINCREMENT, at text NOT NULL, actor_kind text NOT NULL, actor_id bigint,
    actor_label text NOT NULL, on_behalf_of bigint, action text NOT NULL, object_type text NOT NULL, object_id text,
    object_label text, changes text, reason text, address text, request_id text, row_hash blob
);
CREATE INDEX audit_log_object_idx ON audit_log (object_type, object_id, id);
