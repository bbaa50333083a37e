//! A worker process that is alive, or was until `seen_at`.

use sea_orm::entity::prelude::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "workers")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub name: String,
    pub version: String,
    /// Queue names separated by one space.
    pub queues: String,
    pub concurrency: i32,
    /// Jobs in hand at `seen_at`.
    pub running: i32,
    pub started_at: DateTimeUtc,
    pub seen_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}
