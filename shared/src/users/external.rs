//! Accounts by the id that another system knows them by.

use sea_orm::{ActiveValue::Set, ColumnTrait, DatabaseTransaction, DbErr, EntityTrait, QueryFilter, QuerySelect};

use super::{CreateUserError, NewUser, blank, insert, welcome};
use crate::{
    audit::Actor,
    entity::user::{self, Column},
    jobs::Tx,
    rules::ExternalId,
    time::now,
};

/// The account with this external id, deleted or not, kept from changing until the transaction ends.
pub async fn find_external_for_change(
    tx: &DatabaseTransaction,
    external_id: &ExternalId,
) -> Result<Option<user::Model>, DbErr> {
    let found = user::Entity::find().filter(Column::ExternalId.eq(external_id.as_str()));
    found.lock_exclusive().one(tx).await
}

/// As [`create`](super::create), with an external id. None when another account has it, which the unique index decides;
/// the transaction must then be dropped.
pub async fn create_external(
    tx: &Tx,
    new: &NewUser,
    external_id: &ExternalId,
    actor: &Actor,
) -> Result<Option<user::Model>, CreateUserError> {
    let row = user::ActiveModel {
        external_id: Set(Some(external_id.as_str().to_owned())),
        ..blank(&new.name, &new.email, new.age, now())
    };
    let user = match insert(&**tx, row, actor).await {
        Ok(user) => user,
        Err(CreateUserError::Db(error)) if is_taken(&error) => return Ok(None),
        Err(error) => return Err(error),
    };
    welcome(tx, &user, actor).await?;
    Ok(Some(user))
}

fn is_taken(error: &DbErr) -> bool {
    crate::db::violated_unique(error).is_some_and(|what| what.contains("external_id"))
}
