//! One row for each mail, written before it is sent.

use sea_orm::entity::prelude::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "mails")]
pub struct Model {
    /// UUIDv7, so ids sort by creation.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub job_id: Option<Uuid>,
    pub kind: String,
    pub user_id: Option<i64>,
    pub to_address: String,
    pub subject: String,
    pub state: MailState,
    /// Derived from the job's id, so that a repeated send is recognized as the same mail (RFC 5322 §3.6.4).
    pub message_id: String,
    /// The SMTP server's reply.
    pub answer: Option<String>,
    /// Kept only where no SMTP server is set.
    pub text_body: Option<String>,
    pub html_body: Option<String>,
    pub created_at: DateTimeUtc,
    pub sent_at: Option<DateTimeUtc>,
}

impl ActiveModelBehavior for ActiveModel {}

#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
pub enum MailState {
    /// Recorded, about to be sent.
    Reserved,
    Sent,
    /// No SMTP server is set, so the mail is kept here with its body.
    Kept,
    Failed,
    /// The connection broke after the body: it may have arrived.
    Unknown,
}
