//! The replacement of `SECRET_KEY`: what an older key sealed is sealed anew, so that the older one can be dropped.

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

/// Factors that are looked at together.
const BATCH: u64 = 500;

/// What [`reseal`] found.
#[derive(Clone, Debug, Default)]
pub struct Resealed {
    /// Factors sealed anew.
    pub resealed: u64,
    /// Factors that the newest key had sealed already.
    pub current: u64,
    /// Factors that no key opens: their owners cannot use them.
    pub lost: u64,
    /// Recovery codes that are still good. Only the key that made one knows it again, and codes are not kept, so those
    /// from before the change need the older key.
    pub recovery_codes: u64,
    /// When the oldest of them was made.
    pub oldest_code: Option<DateTime<Utc>>,
}

/// Seals every factor's secret with the newest key. It can run beside everything else, and again after a break.
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
