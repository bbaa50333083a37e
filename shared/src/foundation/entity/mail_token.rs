//! A single-use token that was sent by mail; only its SHA-256 is stored.

use sea_orm::entity::prelude::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "mail_tokens")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub user_id: i64,
    pub purpose: MailTokenPurpose,
    /// The address it was mailed to, or is about.
    pub email: Option<String>,
    pub token_hash: Vec<u8>,
    pub created_at: DateTimeUtc,
    pub expires_at: DateTimeUtc,
    pub used_at: Option<DateTimeUtc>,
}

impl ActiveModelBehavior for ActiveModel {}

#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
pub enum MailTokenPurpose {
    /// In the welcome mail: sets the first password and verifies the address.
    SetPassword,
    VerifyEmail,
    PasswordReset,
    /// Sent to the new address, which the row holds.
    EmailChangeConfirm,
    /// Sent to the old address, which the row holds: undoes the change.
    EmailChangeUndo,
    CancelDeletion,
}
