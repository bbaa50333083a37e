//! A second factor of an account (TOTP, RFC 6238); its secret is sealed with `SECRET_KEY`.

use sea_orm::entity::prelude::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "mfa_factors")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub user_id: i64,
    pub kind: FactorKind,
    pub label: String,
    pub secret_sealed: Vec<u8>,
    /// The newest 30-second step that was accepted; it and earlier ones are not accepted again.
    pub last_step: i64,
    /// When the owner confirmed it with a code; an unconfirmed factor protects nothing.
    pub confirmed_at: Option<DateTimeUtc>,
    pub created_at: DateTimeUtc,
    /// The session that set it up, the only one that may confirm it; none once it is confirmed.
    pub session_id: Option<Uuid>,
}

impl ActiveModelBehavior for ActiveModel {}

#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
pub enum FactorKind {
    Totp,
}
