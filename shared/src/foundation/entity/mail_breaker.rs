//! A mail server that refuses us: while its row is here, mail waits, and one mail now and then asks again.

use sea_orm::entity::prelude::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "mail_breakers")]
pub struct Model {
    /// Host, port and sender, such as `mail.example.org:587 as usher@example.org`.
    #[sea_orm(primary_key, auto_increment = false)]
    pub server: String,
    /// What the jobs that wait say as their last error.
    pub reason: String,
    /// Refusals in a row; the pause grows with them.
    pub refusals: i32,
    pub opened_at: DateTimeUtc,
    /// When one mail tries again.
    pub probe_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}
