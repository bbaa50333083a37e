//! Finding accounts, to read or to change them.

use std::{collections::HashMap, sync::Arc};

use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbErr, EntityTrait, QueryFilter, QuerySelect,
};

use crate::foundation::{batcher::Batcher, db, entity::user, rules::ExternalId};

/// Looks up accounts by id. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Directory(Batcher<i64, Option<Arc<user::Model>>>);

impl Directory {
    #[must_use]
    pub fn new(db: DatabaseConnection) -> Self {
        Self(Batcher::look_up(move |ids| find_all(db.clone(), ids)))
    }

    /// The account's current row, unless it was deleted. Costs one query, which concurrent callers share.
    pub async fn find(&self, id: i64) -> Result<Option<Arc<user::Model>>, DbErr> {
        self.0.ask(id).await
    }
}

async fn find_all(db: DatabaseConnection, ids: Arc<[i64]>) -> Result<HashMap<i64, Arc<user::Model>>, DbErr> {
    let users = user::Entity::find()
        .filter(db::any_of(&db, user::Column::Id, ids.to_vec()))
        .filter(user::Column::DeletedAt.is_null());
    let users = users.all(&db).await?;
    Ok(users.into_iter().map(|user| (user.id, Arc::new(user))).collect())
}

/// The account with this email key.
pub async fn find_by_email_key(conn: &impl ConnectionTrait, key: &str) -> Result<Option<user::Model>, DbErr> {
    user::Entity::find()
        .filter(user::Column::EmailKey.eq(key))
        .one(conn)
        .await
}

/// [`find_by_email_key`], locked until the transaction ends; deleted or not.
pub(super) async fn lock_by_email_key(tx: &DatabaseTransaction, key: &str) -> Result<Option<user::Model>, DbErr> {
    let found = user::Entity::find().filter(user::Column::EmailKey.eq(key));
    found.lock_exclusive().one(tx).await
}

/// The account, locked until the transaction ends. None if it doesn't exist or was deleted.
pub async fn find_for_change(tx: &DatabaseTransaction, id: i64) -> Result<Option<user::Model>, DbErr> {
    let there = user::Entity::find_by_id(id).filter(user::Column::DeletedAt.is_null());
    there.lock_exclusive().one(tx).await
}

/// The account with this external id, deleted or not, locked until the transaction ends.
pub async fn find_external_for_change(
    tx: &DatabaseTransaction,
    external_id: &ExternalId,
) -> Result<Option<user::Model>, DbErr> {
    let found = user::Entity::find().filter(user::Column::ExternalId.eq(external_id.as_str()));
    found.lock_exclusive().one(tx).await
}
