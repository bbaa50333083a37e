//! Limits and pause of a queue; a queue without a row has none.

use sea_orm::entity::prelude::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "job_queues")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub name: String,
    pub paused_at: Option<DateTimeUtc>,
    pub paused_by: Option<String>,
    /// The concurrency limit across all workers; none for no limit.
    pub max_running: Option<i32>,
    /// The limit of starts per minute across all workers; none for no limit.
    pub starts_per_minute: Option<i32>,
    /// Up to when the starts so far fill the limit (the theoretical arrival time of GCRA).
    pub started_through: Option<DateTimeUtc>,
    /// The version of the limits, incremented with each change.
    pub version: i32,
}

impl ActiveModelBehavior for ActiveModel {}
