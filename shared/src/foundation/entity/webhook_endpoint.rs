//! Where events are sent.

use sea_orm::entity::prelude::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "webhook_endpoints")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    pub url: String,
    pub description: String,
    /// The types of its events, separated by spaces.
    pub types: String,
    /// What checks asymmetric signatures.
    pub public_key: String,
    /// What signs, encrypted with `SECRET_KEY`.
    pub keys_sealed: Vec<u8>,
    /// What signs as well until `previous_until`.
    pub previous_keys_sealed: Option<Vec<u8>>,
    pub previous_until: Option<DateTimeUtc>,
    pub status: WebhookStatus,
    pub disabled_reason: Option<String>,
    /// Who is told when it is disabled.
    pub created_by: Option<i64>,
    /// Only events after this position are sent.
    pub after_position: i64,
    /// Attempts that have failed since the last one that succeeded.
    pub failures: i32,
    pub failing_since: Option<DateTimeUtc>,
    /// Nothing is sent before.
    pub paused_until: Option<DateTimeUtc>,
    pub version: i32,
    pub created_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}

#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
pub enum WebhookStatus {
    Enabled,
    Disabled,
}
