//! Something that happened to an object. The id is its position in the stream.

use sea_orm::entity::prelude::*;

use super::audit_log::ActorKind;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "events")]
pub struct Model {
    /// The position. Gaps are left by transactions that were rolled back.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// The same wherever the event is sent, and unlike any other installation's.
    pub event_id: Uuid,
    pub at: DateTimeUtc,
    /// Such as `user.created`.
    #[sea_orm(column_name = "type")]
    pub kind: String,
    pub object_id: String,
    /// The version of the object's row after the change, where it has versions.
    pub object_version: Option<i64>,
    /// The person it is about, whose data it holds.
    pub user_id: Option<i64>,
    pub actor_kind: ActorKind,
    pub actor_id: Option<i64>,
    pub on_behalf_of: Option<i64>,
    pub request_id: Option<String>,
    /// JSON: the object as the API shows it.
    pub data: String,
}

impl ActiveModelBehavior for ActiveModel {}
