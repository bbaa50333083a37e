//! A refresh token that was exchanged for its successor, kept to detect its reuse.

use sea_orm::entity::prelude::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "spent_refresh_tokens")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub token_hash: Vec<u8>,
    pub session_id: Uuid,
    pub spent_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}
