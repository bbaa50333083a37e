//! A recurring job (cron with time zone).

use sea_orm::entity::prelude::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "job_schedules")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    pub name: String,
    pub queue: String,
    pub kind: String,
    /// The version of the payload's format.
    pub version: i16,
    pub payload: Json,
    pub priority: i16,
    pub cron: String,
    pub time_zone: String,
    pub catch_up: CatchUp,
    pub enabled: bool,
    pub next_run_at: DateTimeUtc,
    pub last_run_at: Option<DateTimeUtc>,
    /// Counts changes; the stale-save check compares it.
    pub row_version: i32,
    pub created_at: DateTimeUtc,
    pub updated_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}

/// What happens to ticks that were missed while no worker was running.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
pub enum CatchUp {
    One,
    All,
    Skip,
}
