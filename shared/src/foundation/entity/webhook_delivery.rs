//! One event for one endpoint, and how its last sending went.

use sea_orm::entity::prelude::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "webhook_deliveries")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    pub endpoint_id: i64,
    /// The event's place in the stream.
    pub position: i64,
    pub event_id: Uuid,
    #[sea_orm(column_name = "type")]
    pub kind: String,
    pub state: DeliveryState,
    pub attempts: i32,
    pub next_attempt_at: DateTimeUtc,
    /// The status of the last answer; none if there was none.
    pub last_status: Option<i32>,
    pub last_error: Option<String>,
    /// The beginning of the last answer's body.
    pub last_response: Option<String>,
    pub last_duration_ms: Option<i32>,
    pub delivered_at: Option<DateTimeUtc>,
    pub created_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}

#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
pub enum DeliveryState {
    Pending,
    Delivered,
    /// It is not tried again by itself.
    Failed,
}
