//! A link of the audit log's chain: it lists its rows and signs their hashes and the previous link.

use sea_orm::entity::prelude::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "audit_seals")]
pub struct Model {
    /// Counts from 1 without gaps.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: i64,
    /// The ids of the sealed rows, ascending.
    pub audit_ids: Json,
    pub chain_hash: Vec<u8>,
    pub sealed_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}
