//! What is known of the stream of events as a whole: one row.

use sea_orm::entity::prelude::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "event_streams")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: i64,
    /// Events up to this position were removed because of their age.
    pub removed_through: i64,
}

impl ActiveModelBehavior for ActiveModel {}
