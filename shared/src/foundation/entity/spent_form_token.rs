//! A submitted form of the admin, so that it takes effect only once.

use sea_orm::entity::prelude::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "spent_form_tokens")]
pub struct Model {
    /// SHA-256 of the form's token.
    #[sea_orm(primary_key, auto_increment = false)]
    pub token_hash: Vec<u8>,
    /// The response, sealed with a key derived from the token itself.
    pub answer: Option<Vec<u8>>,
    pub spent_at: DateTimeUtc,
    /// By then every session that could send the form has expired.
    pub expires_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}
