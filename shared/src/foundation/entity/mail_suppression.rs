//! An address that doesn't exist, according to its mail server: nothing is sent to it until the row is deleted.

use sea_orm::entity::prelude::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "mail_suppressions")]
pub struct Model {
    /// The address, case-folded as `users.email_key` is.
    #[sea_orm(primary_key, auto_increment = false)]
    pub address_key: String,
    /// The server's reply.
    pub answer: String,
    /// The user that the mail was for.
    pub user_id: Option<i64>,
    pub created_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}
