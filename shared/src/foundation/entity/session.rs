//! A signed-in browser or client; only the SHA-256 of its token is stored.

use sea_orm::entity::prelude::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "sessions")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub user_id: i64,
    pub kind: SessionKind,
    pub token_hash: Vec<u8>,
    /// When the second factor was last verified; none if it was not.
    pub mfa_at: Option<DateTimeUtc>,
    pub reauthenticated_at: Option<DateTimeUtc>,
    pub address: Option<String>,
    pub user_agent: Option<String>,
    pub created_at: DateTimeUtc,
    pub last_seen_at: DateTimeUtc,
    /// The absolute limit; the idle limit is counted from `last_seen_at`.
    pub expires_at: DateTimeUtc,
    pub ended_at: Option<DateTimeUtc>,
    pub end_reason: Option<String>,
    /// End of the access token, which a refresh replaces; none for a session of the admin.
    pub token_expires_at: Option<DateTimeUtc>,
    /// First use of the current access token: from then on its predecessor's refresh token is spent.
    pub token_used_at: Option<DateTimeUtc>,
    pub refresh_hash: Option<Vec<u8>>,
    pub refreshed_at: Option<DateTimeUtc>,
    /// The member of staff who impersonates the user in this session.
    pub impersonator_id: Option<i64>,
    /// The admin session in which the impersonation started, and with which it ends.
    pub impersonator_session_id: Option<Uuid>,
}

impl ActiveModelBehavior for ActiveModel {}

#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
pub enum SessionKind {
    Admin,
    Api,
}
