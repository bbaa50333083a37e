//! What happens to accounts, whichever room asks for it.

mod change;
mod deletion;
mod email;
mod external;
mod intake;
mod password;
mod sign_up;

use std::{collections::HashMap, sync::Arc};

use chrono::{DateTime, Utc};
use futures::FutureExt;
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, ConnectionTrait, DatabaseConnection, DbErr, EntityTrait, QueryFilter,
    sea_query::{Expr, ExprTrait},
};
use thiserror::Error;

use crate::{
    Gather,
    audit::{self, Actor, Entry},
    db,
    entity::user::{self, UserStatus},
    jobs::{EnqueueError, Options, Tx, WelcomeEmail, enqueue_with},
    rules::{Age, Email, Name},
    time::now,
};

pub use change::{ChangeError, Edit, Standing, delete, edit, find_for_change, restore, set_standing};
pub use deletion::{DELETION_DELAY, delete_if_due, keep, schedule_deletion};
pub use email::{EmailChangeError, confirm_email_change, undo_email_change};
pub use external::{create_external, find_external_for_change};
pub use intake::Intake;
pub use password::{replace_password, reset_password};
pub use sign_up::{NOBODY, mailed, sign_up, verify_email};

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

/// Writes the user, its audit row and the job that welcomes it; they exist once the transaction commits. Three
/// statements.
///
/// The unique index decides whether the address is taken. After an error the transaction must be dropped.
pub async fn create(tx: &Tx, new: &NewUser, actor: &Actor) -> Result<user::Model, CreateUserError> {
    let user = create_quietly(&**tx, new, actor).await?;
    welcome(tx, &user, actor).await?;
    Ok(user)
}

async fn welcome(tx: &Tx, user: &user::Model, actor: &Actor) -> Result<(), CreateUserError> {
    let job = WelcomeEmail { user_id: user.id };
    enqueue_with(tx, job, Options::default().actor(actor.word())).await?;
    Ok(())
}

/// What the audit log tells of a new user.
fn created(user: &user::Model) -> Entry<'static> {
    Entry {
        action: "create",
        object_type: "user",
        object_id: Some(user.id.to_string()),
        object_label: Some(user.email.clone()),
        changes: Some(audit::made([
            ("name", user.name.clone().into()),
            ("email", user.email.clone().into()),
            ("age", user.age.into()),
            ("external_id", user.external_id.clone().into()),
            ("is_staff", user.is_staff.then_some(true).into()),
            ("is_superuser", user.is_superuser.then_some(true).into()),
        ])),
        reason: None,
    }
}

/// [`create`] without a welcome: for users who know the house already.
pub async fn create_quietly(
    conn: &impl ConnectionTrait,
    new: &NewUser,
    actor: &Actor,
) -> Result<user::Model, CreateUserError> {
    insert(conn, blank(&new.name, &new.email, new.age, now()), actor).await
}

/// Writes a superuser with a password, verified and without a welcome. For the first account and for commands.
pub async fn create_superuser(
    conn: &impl ConnectionTrait,
    name: &Name,
    email: &Email,
    password_hash: String,
) -> Result<user::Model, CreateUserError> {
    let row = user::ActiveModel {
        is_superuser: Set(true),
        ..staff(name, email, password_hash)
    };
    insert(conn, row, &Actor::system()).await
}

/// As [`create_superuser`]: somebody of the staff, who has only the rights of roles given later.
pub async fn create_staff(
    conn: &impl ConnectionTrait,
    name: &Name,
    email: &Email,
    password_hash: String,
) -> Result<user::Model, CreateUserError> {
    insert(conn, staff(name, email, password_hash), &Actor::system()).await
}

fn staff(name: &Name, email: &Email, password_hash: String) -> user::ActiveModel {
    let at = now();
    user::ActiveModel {
        is_staff: Set(true),
        password_hash: Set(Some(password_hash)),
        password_changed_at: Set(Some(at)),
        email_verified_at: Set(Some(at)),
        ..blank(name, email, None, at)
    }
}

fn blank(name: &Name, email: &Email, age: Option<Age>, at: DateTime<Utc>) -> user::ActiveModel {
    user::ActiveModel {
        email: Set(email.as_str().to_owned()),
        email_key: Set(email.key().to_owned()),
        name: Set(name.as_str().to_owned()),
        age: Set(age.map(Age::years)),
        status: Set(UserStatus::Active),
        version: Set(1),
        created_at: Set(at),
        updated_at: Set(at),
        ..Default::default()
    }
}

/// The row, and the audit row that tells of it.
async fn insert(
    conn: &impl ConnectionTrait,
    row: user::ActiveModel,
    actor: &Actor,
) -> Result<user::Model, CreateUserError> {
    let written = user::Entity::insert(row).exec_with_returning(conn).await;
    let user = written.map_err(|error| match db::violated_unique(&error) {
        Some(what) if what.contains("email_key") => CreateUserError::EmailTaken,
        _ => error.into(),
    })?;
    audit::record(conn, actor, created(&user)).await?;
    Ok(user)
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

/// Stores a new password's hash. `verified` also marks the address as the owner's, because a mail led here.
pub async fn set_password(
    conn: &impl ConnectionTrait,
    user_id: i64,
    password_hash: String,
    verified: bool,
) -> Result<(), DbErr> {
    let at = now();
    let mut update = user::Entity::update_many()
        .col_expr(user::Column::PasswordHash, Expr::value(password_hash))
        .col_expr(user::Column::PasswordChangedAt, Expr::value(at))
        .col_expr(user::Column::UpdatedAt, Expr::value(at))
        .col_expr(user::Column::Version, Expr::col(user::Column::Version).add(1))
        .filter(user::Column::Id.eq(user_id));
    if verified {
        let kept = Expr::col(user::Column::EmailVerifiedAt).if_null(at);
        update = update.col_expr(user::Column::EmailVerifiedAt, kept);
    }
    update.exec(conn).await.map(drop)
}
