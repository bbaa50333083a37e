//! One unsuccessful attempt of a job; successes leave no row.

use sea_orm::entity::prelude::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "job_attempts")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    pub job_id: Uuid,
    pub attempt: i32,
    pub outcome: AttemptOutcome,
    pub error: String,
    pub worker: Option<String>,
    pub started_at: Option<DateTimeUtc>,
    pub finished_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}

#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
pub enum AttemptOutcome {
    Failed,
    TimedOut,
    Panicked,
    Crashed,
    GaveUp,
    Cancelled,
    Expired,
}
