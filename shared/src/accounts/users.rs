//! What happens to accounts, whichever room asks for it.

mod change;
mod creation;
mod deletion;
mod email;
mod external;
mod intake;
mod password;
mod proof;
mod search_text;
mod sign_up;

use std::{collections::HashMap, sync::Arc};

use futures::FutureExt;
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbErr, EntityTrait, QueryFilter, QuerySelect,
};
use thiserror::Error;

use crate::{
    foundation::{
        batch::Gather,
        db,
        entity::user,
        rules::{Age, Email, Name},
    },
    jobs::EnqueueError,
};

pub use change::{ChangeError, Edit, Standing, delete, edit, find_for_change, restore, set_standing};
pub use creation::{create, create_external, create_quietly, create_staff, create_superuser};
pub use deletion::{DELETION_DELAY, RESTORABLE, delete_if_due, keep, schedule_deletion};
pub use email::{EmailChangeError, ask_email_change, confirm_email_change, has_no_address, undo_email_change};
pub use external::find_external_for_change;
pub use intake::Intake;
pub use password::{keep_rehashed, replace_password, reset_password, set_first_password};
pub use proof::holder;
pub use search_text::fill_search_texts;
pub use sign_up::{NOBODY, SignUpError, mailed, send_password_reset, send_verification, sign_up, verify_email};

/// A user about to be made; each part is valid by its type.
#[derive(Clone, Debug)]
pub struct NewUser {
    pub name: Name,
    pub email: Email,
    pub age: Option<Age>,
}

/// Why no user was made.
#[derive(Debug, Error)]
pub enum CreateUserError {
    #[error("this email address is registered already")]
    EmailTaken,
    #[error(transparent)]
    Db(#[from] DbErr),
    #[error(transparent)]
    Enqueue(#[from] EnqueueError),
}

/// Looks accounts up by their ids for whoever asks. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Directory(Gather<i64, Arc<user::Model>>);

impl Directory {
    #[must_use]
    pub fn new(db: DatabaseConnection) -> Self {
        Self(Gather::new(move |ids| find_all(db.clone(), ids).boxed()))
    }

    /// The account as it is now, unless it was deleted. Costs one query, which callers of the same moment share.
    pub async fn find(&self, id: i64) -> Result<Option<Arc<user::Model>>, DbErr> {
        self.0.find(id).await
    }
}

async fn find_all(db: DatabaseConnection, ids: Vec<i64>) -> Result<HashMap<i64, Arc<user::Model>>, DbErr> {
    let users = user::Entity::find()
        .filter(db::any_of(&db, user::Column::Id, ids))
        .filter(user::Column::DeletedAt.is_null());
    let users = users.all(&db).await?;
    Ok(users.into_iter().map(|user| (user.id, Arc::new(user))).collect())
}

/// The account with this address, by its key.
pub async fn find_by_email_key(conn: &impl ConnectionTrait, key: &str) -> Result<Option<user::Model>, DbErr> {
    user::Entity::find()
        .filter(user::Column::EmailKey.eq(key))
        .one(conn)
        .await
}

/// [`find_by_email_key`], kept from changing until the transaction ends; deleted or not.
async fn lock_by_email_key(tx: &DatabaseTransaction, key: &str) -> Result<Option<user::Model>, DbErr> {
    let found = user::Entity::find().filter(user::Column::EmailKey.eq(key));
    found.lock_exclusive().one(tx).await
}
