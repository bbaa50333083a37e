//! An address that does not exist, as its server said: nothing is sent to it until the row is removed.

use sea_orm::entity::prelude::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "mail_suppressions")]
pub struct Model {
    /// The address, case-folded as `users.email_key` is.
    #[sea_orm(primary_key, auto_increment = false)]
    pub address_key: String,
    /// What the server said.
    pub answer: String,
    /// Whose mail it was.
    pub user_id: Option<i64>,
    pub created_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}
