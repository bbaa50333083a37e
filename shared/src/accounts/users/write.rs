//! The one place that writes changes of an account: the row, its version, its search text and its audit row.

use sea_orm::{
    ActiveModelTrait,
    ActiveValue::{Set, Unchanged},
    DatabaseTransaction, DbErr,
};
use serde_json::Value;
use thiserror::Error;

use super::search_text;
use crate::{
    audit::{self, Actor, Entry, ObjectType},
    foundation::{
        db,
        entity::user::{self, Column},
        time::now,
    },
    jobs::EnqueueError,
};

/// Why an account was not changed.
#[derive(Debug, Error)]
pub enum ChangeError {
    #[error("the account's status does not allow this")]
    Status,
    #[error("this email address is registered already")]
    EmailTaken,
    #[error(transparent)]
    Db(#[from] DbErr),
}

/// Writes what differs, with its audit row, which omits the password's hash.
pub(super) async fn write(
    tx: &DatabaseTransaction,
    before: user::Model,
    mut row: user::ActiveModel,
    action: &str,
    reason: Option<String>,
    actor: &Actor,
) -> Result<user::Model, ChangeError> {
    let hidden = [Column::EmailKey, Column::PasswordHash];
    let Some(changes) = audit::changes::<user::Entity>(&before, &mut row, &hidden) else {
        return Ok(before);
    };
    store(tx, &before, row, action, changes, reason, actor).await
}

/// Writes a change of the account, even if its row only gets a new version: other tables may have changed with it.
pub(in crate::accounts) async fn store(
    tx: &DatabaseTransaction,
    before: &user::Model,
    mut row: user::ActiveModel,
    action: &str,
    changes: Value,
    reason: Option<String>,
    actor: &Actor,
) -> Result<user::Model, ChangeError> {
    search_text::refresh(&mut row, before);
    row.id = Unchanged(before.id);
    row.version = Set(before.version + 1);
    row.updated_at = Set(now());
    let entry = Entry {
        changes: Some(changes),
        reason,
        ..Entry::about(ObjectType::User, before.id, &before.email, action)
    };
    let after = row
        .update(tx)
        .await
        .map_err(|error| match db::violated_unique(&error) {
            Some(what) if what.contains("email_key") => ChangeError::EmailTaken,
            _ => error.into(),
        })?;
    audit::record(tx, actor, entry).await?;
    Ok(after)
}

/// The database's error behind a change that affects neither status nor address.
pub(in crate::accounts) fn plain(error: ChangeError) -> DbErr {
    match error {
        ChangeError::Db(error) => error,
        other => DbErr::Custom(other.to_string()),
    }
}

/// The database's error behind a failed enqueue.
pub(super) fn db_error(error: EnqueueError) -> DbErr {
    match error {
        EnqueueError::Db(error) => error,
        other => DbErr::Custom(other.to_string()),
    }
}
