//! The response kept for a repeated request (`Idempotency-Key`).

use sea_orm::entity::prelude::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "idempotency_keys")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    /// Caller, method and path.
    pub caller: String,
    pub key: String,
    /// SHA-256 of the body.
    pub fingerprint: Vec<u8>,
    /// None while the first request still runs.
    pub status: Option<i16>,
    pub headers: Option<Json>,
    pub body: Option<Vec<u8>>,
    pub created_at: DateTimeUtc,
    pub expires_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}
