//! A link of the chain over the audit log: it names its rows and signs their hashes with the link before.

use sea_orm::entity::prelude::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "audit_seals")]
pub struct Model {
    /// Counts from 1 without a gap.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: i64,
    /// The ids of the sealed rows, ascending.
    pub audit_ids: Json,
    pub chain_hash: Vec<u8>,
    pub sealed_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}
