//! Users, their roles, sessions and second factors, API keys, and the tokens sent by mail.

use sea_orm_migration::prelude::*;

use crate::dialect::{run, run_either};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(manager, UP).await?;
        // Words inside a name are found by trigrams; SQLite scans, which is fast enough at its sizes.
        run_either(
            manager,
            "CREATE EXTENSION IF NOT EXISTS pg_trgm;
             CREATE INDEX users_name_words_idx ON users USING gin (lower(name) gin_trgm_ops);",
            "",
        )
        .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(manager, DOWN).await
    }
}

const UP: &str = r"
CREATE TABLE users (
    id                  {id},
    email               text NOT NULL,
    email_key           text {bytewise} NOT NULL,
    name                text NOT NULL,
    age                 smallint,
    status              text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'locked', 'deactivated')),
    locked_until        {time},
    lock_reason         text,
    external_id         text,
    is_staff            boolean NOT NULL DEFAULT false,
    is_superuser        boolean NOT NULL DEFAULT false,
    password_hash       text,
    password_changed_at {time},
    email_verified_at   {time},
    welcomed_at         {time},
    last_login_at       {time},
    version             integer NOT NULL DEFAULT 1,
    created_at          {time} NOT NULL,
    updated_at          {time} NOT NULL,
    deleted_at          {time}
);
CREATE UNIQUE INDEX users_email_key_unique ON users (email_key);
CREATE UNIQUE INDEX users_external_id_unique ON users (external_id) WHERE external_id IS NOT NULL;
CREATE INDEX users_created_at_idx ON users (created_at, id);
CREATE INDEX users_name_idx ON users (name, id);
CREATE INDEX users_status_idx ON users (status, id) WHERE status <> 'active';
CREATE INDEX users_staff_idx ON users (id) WHERE is_staff;
CREATE INDEX users_superuser_idx ON users (id) WHERE is_superuser;
CREATE INDEX users_deleted_idx ON users (id) WHERE deleted_at IS NOT NULL;

CREATE TABLE roles (
    id          {id},
    name        text NOT NULL,
    description text NOT NULL DEFAULT '',
    version     integer NOT NULL DEFAULT 1,
    created_at  {time} NOT NULL,
    updated_at  {time} NOT NULL
);
CREATE UNIQUE INDEX roles_name_unique ON roles (name);

CREATE TABLE role_permissions (
    role_id    bigint NOT NULL REFERENCES roles (id) ON DELETE CASCADE,
    permission text NOT NULL,
    PRIMARY KEY (role_id, permission)
);

CREATE TABLE user_roles (
    user_id bigint NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    role_id bigint NOT NULL REFERENCES roles (id) ON DELETE CASCADE,
    PRIMARY KEY (user_id, role_id)
);
CREATE INDEX user_roles_role_idx ON user_roles (role_id);

CREATE TABLE sessions (
    id                 {uuid} PRIMARY KEY NOT NULL,
    user_id            bigint NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    kind               text NOT NULL CHECK (kind IN ('admin', 'api')),
    token_hash         {bytes} NOT NULL,
    mfa_at             {time},
    reauthenticated_at {time},
    address            text,
    user_agent         text,
    created_at         {time} NOT NULL,
    last_seen_at       {time} NOT NULL,
    expires_at         {time} NOT NULL,
    ended_at           {time},
    end_reason         text
);
CREATE UNIQUE INDEX sessions_token_hash_unique ON sessions (token_hash);
CREATE INDEX sessions_user_idx ON sessions (user_id, id);
CREATE INDEX sessions_expires_at_idx ON sessions (expires_at);

CREATE TABLE mfa_factors (
    id            {uuid} PRIMARY KEY NOT NULL,
    user_id       bigint NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    kind          text NOT NULL CHECK (kind IN ('totp')),
    label         text NOT NULL,
    secret_sealed {bytes} NOT NULL,
    last_step     bigint NOT NULL DEFAULT 0,
    confirmed_at  {time},
    created_at    {time} NOT NULL
);
CREATE INDEX mfa_factors_user_idx ON mfa_factors (user_id);

CREATE TABLE api_keys (
    id                    {id},
    name                  text NOT NULL,
    hint                  text NOT NULL,
    token_hash            {bytes} NOT NULL,
    scopes                text NOT NULL,
    allowed_cidrs         text,
    requests_per_minute   integer,
    created_by            bigint REFERENCES users (id) ON DELETE SET NULL,
    version               integer NOT NULL DEFAULT 1,
    created_at            {time} NOT NULL,
    expires_at            {time},
    last_used_at          {time},
    revoked_at            {time}
);
CREATE UNIQUE INDEX api_keys_token_hash_unique ON api_keys (token_hash);
CREATE INDEX api_keys_created_by_idx ON api_keys (created_by);

CREATE TABLE mail_tokens (
    id         {uuid} PRIMARY KEY NOT NULL,
    user_id    bigint NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    purpose    text NOT NULL,
    token_hash {bytes} NOT NULL,
    created_at {time} NOT NULL,
    expires_at {time} NOT NULL,
    used_at    {time}
);
CREATE UNIQUE INDEX mail_tokens_token_hash_unique ON mail_tokens (token_hash);
CREATE INDEX mail_tokens_user_idx ON mail_tokens (user_id);
CREATE INDEX mail_tokens_expires_at_idx ON mail_tokens (expires_at);
";

const DOWN: &str = "
DROP TABLE mail_tokens;
DROP TABLE api_keys;
DROP TABLE mfa_factors;
DROP TABLE sessions;
DROP TABLE user_roles;
DROP TABLE role_permissions;
DROP TABLE roles;
DROP TABLE users;
";
