//! Replacing `SECRET_KEY`: secrets sealed with an older key are sealed again, so that the older key can be dropped.

use chrono::{DateTime, Utc};
use sea_orm::{
    ColumnTrait, DatabaseConnection, DbErr, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect,
    sea_query::Expr,
};
use uuid::Uuid;

use super::factors::PURPOSE;
use crate::foundation::{
    crypto::SecretKey,
    entity::{
        mfa_factor::{self, Column},
        recovery_code,
    },
};

/// Factors read at a time.
const BATCH: u64 = 500;

/// What [`reseal`] found.
#[derive(Clone, Debug, Default)]
pub struct Resealed {
    /// Factors sealed again.
    pub resealed: u64,
    /// Factors that were already sealed with the newest key.
    pub current: u64,
    /// Factors that no key can open; their owners cannot use them.
    pub lost: u64,
    /// Recovery codes that are still valid. Only the key that hashed a code can recognize it, and codes are not stored,
    /// so those from before the change need the older key.
    pub recovery_codes: u64,
    /// When the oldest of them was created.
    pub oldest_code: Option<DateTime<Utc>>,
}

/// Seals every factor's secret with the newest key. It can run while the application is in use, and again after an
/// interruption.
pub async fn reseal(db: &DatabaseConnection, key: &SecretKey) -> Result<Resealed, DbErr> {
    let mut found = Resealed::default();
    let mut after = Uuid::nil();
    loop {
        let factors = mfa_factor::Entity::find()
            .filter(Column::Id.gt(after))
            .order_by_asc(Column::Id)
            .limit(BATCH)
            .all(db)
            .await?;
        let Some(last) = factors.last() else { break };
        after = last.id;
        for factor in &factors {
            match key.reseal(PURPOSE, &factor.secret_sealed) {
                Some(sealed) => {
                    replace(db, factor, sealed).await?;
                    found.resealed += 1;
                }
                None if key.open(PURPOSE, &factor.secret_sealed).is_some() => found.current += 1,
                None => found.lost += 1,
            }
        }
    }
    let unused = || recovery_code::Entity::find().filter(recovery_code::Column::UsedAt.is_null());
    found.recovery_codes = unused().count(db).await?;
    let oldest = unused().order_by_asc(recovery_code::Column::CreatedAt).one(db).await?;
    found.oldest_code = oldest.map(|code| code.created_at);
    Ok(found)
}

async fn replace(db: &DatabaseConnection, factor: &mfa_factor::Model, sealed: Vec<u8>) -> Result<(), DbErr> {
    mfa_factor::Entity::update_many()
        .col_expr(Column::SecretSealed, Expr::value(sealed))
        .filter(Column::Id.eq(factor.id))
        .exec(db)
        .await
        .map(drop)
}
