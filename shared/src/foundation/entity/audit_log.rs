//! What was done, by whom, to what. Append-only: a trigger refuses everything else.

use sea_orm::entity::prelude::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "audit_log")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    pub at: DateTimeUtc,
    pub actor_kind: ActorKind,
    pub actor_id: Option<i64>,
    pub actor_label: String,
    pub on_behalf_of: Option<i64>,
    /// Stable, such as `create`, `update`, `login_failed`.
    pub action: String,
    pub object_type: String,
    pub object_id: Option<String>,
    pub object_label: Option<String>,
    /// `{"field": [before, after]}`, secrets masked.
    pub changes: Option<Json>,
    pub reason: Option<String>,
    pub address: Option<String>,
    pub request_id: Option<String>,
    /// SHA-256 of the other columns except the id; none in rows older than the chain.
    pub row_hash: Option<Vec<u8>>,
}

impl ActiveModelBehavior for ActiveModel {}

#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
pub enum ActorKind {
    User,
    ApiKey,
    System,
    Anonymous,
}
