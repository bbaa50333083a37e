//! A file of a ticket.

use sea_orm::entity::prelude::*;
use usher::entity::stored_file;

use crate::tickets::ticket;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "attachments")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    pub ticket_id: i64,
    pub file_id: Uuid,
    pub created_at: DateTimeUtc,
    #[sea_orm(belongs_to, from = "ticket_id", to = "id")]
    pub ticket: HasOne<ticket::Entity>,
    #[sea_orm(belongs_to, from = "file_id", to = "id")]
    pub file: HasOne<stored_file::Entity>,
}

impl ActiveModelBehavior for ActiveModel {}
