//! What staff said about a queue; a queue without a row runs.

use sea_orm::entity::prelude::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "job_queues")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub name: String,
    pub paused_at: Option<DateTimeUtc>,
    pub paused_by: Option<String>,
    /// Jobs of this queue that run at once, over all workers; none is no limit.
    pub max_running: Option<i32>,
    /// Jobs of this queue that start in a minute, over all workers; none is no limit.
    pub starts_per_minute: Option<i32>,
    /// Up to when the starts so far fill the limit (the theoretical arrival time of GCRA).
    pub started_through: Option<DateTimeUtc>,
    /// Of the limits, counted up by each change of them.
    pub version: i32,
}

impl ActiveModelBehavior for ActiveModel {}
