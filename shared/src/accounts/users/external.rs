//! Accounts by the id that another system knows them by.

use sea_orm::{ColumnTrait, DatabaseTransaction, DbErr, EntityTrait, QueryFilter, QuerySelect};

use crate::foundation::{
    entity::user::{self, Column},
    rules::ExternalId,
};

/// The account with this external id, deleted or not, kept from changing until the transaction ends.
pub async fn find_external_for_change(
    tx: &DatabaseTransaction,
    external_id: &ExternalId,
) -> Result<Option<user::Model>, DbErr> {
    let found = user::Entity::find().filter(Column::ExternalId.eq(external_id.as_str()));
    found.lock_exclusive().one(tx).await
}
