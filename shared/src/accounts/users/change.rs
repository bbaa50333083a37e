//! Changes of an account: the row, its audit row, and whatever must end with what it was.

use chrono::{DateTime, Utc};
use sea_orm::{
    ActiveModelTrait,
    ActiveValue::{self, Set, Unchanged},
    ColumnTrait, DatabaseTransaction, DbErr, EntityTrait, IntoActiveModel, QueryFilter, QuerySelect,
};
use thiserror::Error;

use super::{email, password::db_error, search_text};
use crate::{
    accounts::{
        mail_tokens,
        sessions::{self, Which},
    },
    audit::{self, Actor, Entry},
    foundation::{
        db,
        entity::user::{self, Column, UserStatus},
        rules::{Age, Email, Name, Reason},
        time::now,
    },
    jobs::Tx,
};

/// What somebody wants changed of an account; what is none stays as it is.
#[derive(Clone, Debug, Default)]
pub struct Edit {
    pub name: Option<Name>,
    pub email: Option<Email>,
    pub age: Option<Option<Age>>,
}

/// A change of whether somebody may sign in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Until the lock ends sessions are refused, not ended; without an end, until it is taken away.
    Locked { until: Option<DateTime<Utc>> },
    /// From locked to active.
    Unlocked,
    /// Sessions end.
    Deactivated,
    /// From deactivated to active.
    Reactivated,
}

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

/// The account, kept from changing until the transaction ends. None when it is not there or was deleted.
pub async fn find_for_change(tx: &DatabaseTransaction, id: i64) -> Result<Option<user::Model>, DbErr> {
    let there = user::Entity::find_by_id(id).filter(Column::DeletedAt.is_null());
    there.lock_exclusive().one(tx).await
}

/// Changes the account that [`find_for_change`] has found, whoever asks. One that is as wanted already is left alone.
///
/// Another email address is nobody's until a mail to it was answered: sessions and mailed links end, and the password
/// does unless the owner asked. The old address is told, with a way back. After an error the transaction must be dropped.
pub async fn edit(tx: &Tx, before: user::Model, edit: Edit, actor: &Actor) -> Result<user::Model, ChangeError> {
    let mut row = before.clone().into_active_model();
    if let Some(name) = edit.name {
        row.name = Set(name.as_str().to_owned());
    }
    if let Some(age) = edit.age {
        row.age = Set(age.map(Age::years));
    }
    let Some(email) = edit.email else {
        return write(tx, before, row, "update", None, actor).await;
    };
    let moves = email.key() != before.email_key;
    row.email = Set(email.as_str().to_owned());
    row.email_key = Set(email.key().to_owned());
    if !moves {
        return write(tx, before, row, "update", None, actor).await;
    }
    email::leave(tx, &before, &mut row, actor).await?;
    let after = write(tx, before.clone(), row, "update", None, actor).await?;
    email::tell(tx, &before, &after, actor).await.map_err(db_error)?;
    Ok(after)
}

/// Marks the account as deleted. Its sessions end and what was mailed opens nothing; the email address stays taken
/// until the account is purged.
pub async fn delete(
    tx: &DatabaseTransaction,
    before: user::Model,
    reason: Option<Reason>,
    actor: &Actor,
) -> Result<(), ChangeError> {
    let id = before.id;
    let mut row = before.clone().into_active_model();
    row.deleted_at = Set(Some(now()));
    write(tx, before, row, "delete", reason.map(Reason::into_text), actor).await?;
    sessions::end(tx, id, Which::All, "user_deleted").await?;
    mail_tokens::spend_all(tx, id).await?;
    Ok(())
}

/// Takes the mark of deletion away. Sessions stay ended. False when the account is not there or was not deleted.
pub async fn restore(tx: &DatabaseTransaction, id: i64, actor: &Actor) -> Result<bool, ChangeError> {
    let deleted = user::Entity::find_by_id(id).filter(Column::DeletedAt.is_not_null());
    let Some(before) = deleted.lock_exclusive().one(tx).await? else {
        return Ok(false);
    };
    let mut row = before.clone().into_active_model();
    row.deleted_at = Set(None);
    row.delete_at = Set(None);
    write(tx, before, row, "restore", None, actor).await?;
    Ok(true)
}

/// Changes whether the account may sign in. A lock can be set anew; a deactivated account is only reactivated.
pub async fn set_standing(
    tx: &DatabaseTransaction,
    before: user::Model,
    standing: Standing,
    reason: Option<Reason>,
    actor: &Actor,
) -> Result<user::Model, ChangeError> {
    let reason = reason.map(Reason::into_text);
    let (action, status) = match (standing, before.status_at(now())) {
        (Standing::Locked { .. }, UserStatus::Active | UserStatus::Locked) => ("lock", UserStatus::Locked),
        (Standing::Unlocked, UserStatus::Active | UserStatus::Locked) => ("unlock", UserStatus::Active),
        (Standing::Deactivated, _) => ("deactivate", UserStatus::Deactivated),
        (Standing::Reactivated, UserStatus::Active | UserStatus::Deactivated) => ("reactivate", UserStatus::Active),
        _ => return Err(ChangeError::Status),
    };
    let (until, lock_reason) = match standing {
        Standing::Locked { until } => (until, reason.clone()),
        _ => (None, None),
    };
    let mut row = before.clone().into_active_model();
    row.status = Set(status);
    row.locked_until = Set(until);
    row.lock_reason = Set(lock_reason);
    if standing == Standing::Deactivated {
        sessions::end(tx, before.id, Which::All, "user_deactivated").await?;
        mail_tokens::spend_all(tx, before.id).await?;
    }
    write(tx, before, row, action, reason, actor).await
}

/// Writes what differs, with the audit row that tells it; of a password only that it was set.
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
    search_text::refresh(&mut row, &before);
    row.id = Unchanged(before.id);
    row.version = Set(before.version + 1);
    row.updated_at = Set(now());
    let entry = Entry {
        action,
        object_type: "user",
        object_id: Some(before.id.to_string()),
        object_label: Some(before.email.clone()),
        changes: Some(changes),
        reason,
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

/// What a row is about to have there.
pub(super) fn put<T: Into<sea_orm::Value>>(value: &ActiveValue<T>) -> Option<&T> {
    match value {
        Set(value) => Some(value),
        _ => None,
    }
}
