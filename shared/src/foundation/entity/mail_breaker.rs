//! A mail server on hold, because it rejects mail: while this row exists mail waits, and one mail now and then tries
//! again.

use sea_orm::entity::prelude::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "mail_breakers")]
pub struct Model {
    /// Host, port and sender, such as `mail.example.org:587 as usher@example.org`.
    #[sea_orm(primary_key, auto_increment = false)]
    pub server: String,
    /// The last error of the jobs that wait.
    pub reason: String,
    /// Consecutive rejections; the pause grows with them.
    pub refusals: i32,
    pub opened_at: DateTimeUtc,
    /// When the next mail tries again.
    pub probe_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}
