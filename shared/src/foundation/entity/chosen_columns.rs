//! The columns that a member of staff chose for one list of the admin.

use sea_orm::entity::prelude::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "chosen_columns")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub user_id: i64,
    #[sea_orm(primary_key, auto_increment = false)]
    pub list: String,
    /// Names separated by one space.
    pub columns: String,
}

impl ActiveModelBehavior for ActiveModel {}
