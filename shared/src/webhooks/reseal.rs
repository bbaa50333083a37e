//! Replacing `SECRET_KEY`: keys sealed with an older key are sealed again.

use sea_orm::{ColumnTrait, DatabaseConnection, DbErr, EntityTrait, QueryFilter, sea_query::Expr};

use super::keys::PURPOSE;
use crate::foundation::{
    crypto::SecretKey,
    db,
    entity::webhook_endpoint::{Column, Entity, Model},
};

/// What [`reseal`] found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Resealed {
    /// Endpoints whose keys were sealed again.
    pub resealed: u64,
    /// Those whose keys were sealed with the newest key.
    pub current: u64,
    /// Those whose keys no key opens: nothing can be sent to them before their keys are rotated.
    pub lost: u64,
}

/// Seals the keys of every endpoint with the newest key. It can run while the application is in use, and again after an
/// interruption.
pub async fn reseal(db: &DatabaseConnection, key: &SecretKey) -> Result<Resealed, DbErr> {
    let mut found = Resealed::default();
    for endpoint in Entity::find().all(db).await? {
        if key.open(PURPOSE, &endpoint.keys_sealed).is_none() {
            found.lost += 1;
            continue;
        }
        let newest = key.reseal(PURPOSE, &endpoint.keys_sealed);
        let previous = endpoint.previous_keys_sealed.as_ref();
        let previous = previous.and_then(|previous| key.reseal(PURPOSE, previous));
        if newest.is_none() && previous.is_none() {
            found.current += 1;
            continue;
        }
        replace(db, &endpoint, newest, previous).await?;
        found.resealed += 1;
    }
    Ok(found)
}

/// A rotation in between has newer keys, which stay.
async fn replace(
    db: &DatabaseConnection,
    before: &Model,
    newest: Option<Vec<u8>>,
    previous: Option<Vec<u8>>,
) -> Result<(), DbErr> {
    let mut update = Entity::update_many();
    if let Some(newest) = newest {
        update = update.col_expr(Column::KeysSealed, Expr::value(newest));
    }
    if let Some(previous) = previous {
        update = update.col_expr(Column::PreviousKeysSealed, Expr::value(previous));
    }
    update
        .filter(Column::Id.eq(before.id))
        .filter(Column::KeysSealed.eq(before.keys_sealed.clone()))
        .exec(&db::writing(db))
        .await
        .map(drop)
}
