//! An API key of another service; only its SHA-256 is stored, `hint` is what people recognize it by.

use sea_orm::entity::prelude::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "api_keys")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    pub name: String,
    /// The key's first characters, such as `uak_Ab3d`.
    pub hint: String,
    pub token_hash: Vec<u8>,
    /// Scopes separated by one space, as in RFC 6749 §3.3.
    pub scopes: String,
    /// CIDRs separated by one space; none allows every address.
    pub allowed_cidrs: Option<String>,
    pub requests_per_minute: Option<i32>,
    pub created_by: Option<i64>,
    pub version: i32,
    pub created_at: DateTimeUtc,
    pub expires_at: Option<DateTimeUtc>,
    pub last_used_at: Option<DateTimeUtc>,
    pub revoked_at: Option<DateTimeUtc>,
    /// The SHA-256 of the secret before the last rotation, valid until `previous_until`.
    pub previous_hash: Option<Vec<u8>>,
    pub previous_until: Option<DateTimeUtc>,
}

impl ActiveModelBehavior for ActiveModel {}
