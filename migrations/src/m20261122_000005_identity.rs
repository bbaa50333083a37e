//! API sessions with refresh tokens, recovery codes, rotated API keys, and accounts scheduled for deletion by their
//! owners.

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
ALTER TABLE users ADD COLUMN delete_at {time};

ALTER TABLE sessions ADD COLUMN token_expires_at {time};
ALTER TABLE sessions ADD COLUMN token_used_at {time};
ALTER TABLE sessions ADD COLUMN refresh_hash {bytes};
ALTER TABLE sessions ADD COLUMN refreshed_at {time};
ALTER TABLE sessions ADD COLUMN impersonator_id bigint;
CREATE UNIQUE INDEX sessions_refresh_hash_unique ON sessions (refresh_hash) WHERE refresh_hash IS NOT NULL;

CREATE TABLE spent_refresh_tokens (
    token_hash {bytes} PRIMARY KEY NOT NULL,
    session_id {uuid} NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    spent_at   {time} NOT NULL
);
CREATE INDEX spent_refresh_tokens_session_idx ON spent_refresh_tokens (session_id);

CREATE TABLE mfa_challenges (
    id         {uuid} PRIMARY KEY NOT NULL,
    user_id    bigint NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    token_hash {bytes} NOT NULL,
    attempts   integer NOT NULL DEFAULT 0,
    created_at {time} NOT NULL,
    expires_at {time} NOT NULL,
    used_at    {time}
);
CREATE UNIQUE INDEX mfa_challenges_token_hash_unique ON mfa_challenges (token_hash);
CREATE INDEX mfa_challenges_user_idx ON mfa_challenges (user_id);
CREATE INDEX mfa_challenges_expires_at_idx ON mfa_challenges (expires_at);

CREATE TABLE recovery_codes (
    id         {uuid} PRIMARY KEY NOT NULL,
    user_id    bigint NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    code_hash  {bytes} NOT NULL,
    created_at {time} NOT NULL,
    used_at    {time}
);
CREATE UNIQUE INDEX recovery_codes_user_code_unique ON recovery_codes (user_id, code_hash);

ALTER TABLE api_keys ADD COLUMN previous_hash {bytes};
ALTER TABLE api_keys ADD COLUMN previous_until {time};
CREATE UNIQUE INDEX api_keys_previous_hash_unique ON api_keys (previous_hash) WHERE previous_hash IS NOT NULL;
";

const DOWN: &str = "
DROP INDEX api_keys_previous_hash_unique;
ALTER TABLE api_keys DROP COLUMN previous_until;
ALTER TABLE api_keys DROP COLUMN previous_hash;
DROP TABLE recovery_codes;
DROP TABLE mfa_challenges;
DROP TABLE spent_refresh_tokens;
DROP INDEX sessions_refresh_hash_unique;
ALTER TABLE sessions DROP COLUMN impersonator_id;
ALTER TABLE sessions DROP COLUMN refreshed_at;
ALTER TABLE sessions DROP COLUMN refresh_hash;
ALTER TABLE sessions DROP COLUMN token_used_at;
ALTER TABLE sessions DROP COLUMN token_expires_at;
ALTER TABLE users DROP COLUMN delete_at;
";
