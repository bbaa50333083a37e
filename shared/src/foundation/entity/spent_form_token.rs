//! A form of the admin that was sent and did what it asks, so that it does so once.

use sea_orm::entity::prelude::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "spent_form_tokens")]
pub struct Model {
    /// SHA-256 of the form's token.
    #[sea_orm(primary_key, auto_increment = false)]
    pub token_hash: Vec<u8>,
    /// What was answered, sealed under a key that takes the token itself.
    pub answer: Option<Vec<u8>>,
    pub spent_at: DateTimeUtc,
    /// By then no session is left in which the form could be sent.
    pub expires_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}
