//! The one place that writes changes of an account: the row, its version, its search text and its audit row. Then it
//! runs the hooks.

use sea_orm::{
    ActiveModelTrait,
    ActiveValue::{Set, Unchanged},
    DatabaseTransaction, DbErr,
};
use serde_json::Value;
use thiserror::Error;

use super::{events, search_text};
use crate::{
    accounts::{
        hooks::{
            self, HookError, UserChanged, UserCreated, UserDeleted, UserEvent, UserEventKind, UserRestored,
            UserVerified,
        },
        mail_tokens::RedeemError,
    },
    audit::{self, Actor, Entry, ObjectType},
    foundation::{
        db,
        entity::user::{self, Column},
        rules::FieldErrors,
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
    /// A hook of the product refused it.
    #[error("{0}")]
    Refused(FieldErrors),
    #[error(transparent)]
    Db(#[from] DbErr),
}

impl From<HookError> for ChangeError {
    fn from(error: HookError) -> Self {
        match error {
            HookError::Refused(fields) => Self::Refused(fields),
            failed => Self::Db(hooks::plain(failed)),
        }
    }
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
    // The audit log tells, so the question comes before the new entry.
    let is_known = !hooks::has_hooks(&ON_CHANGE) || hooks::is_known(tx, before).await?;
    audit::record(tx, actor, entry).await?;
    events::record_change(tx, before, &after, actor).await?;
    run_hooks(tx, actor, (before, &after, action), is_known).await?;
    Ok(after)
}

/// The events that a change can be.
pub(super) const ON_CHANGE: [UserEventKind; 5] = [
    UserEventKind::Created,
    UserEventKind::Verified,
    UserEventKind::Changed,
    UserEventKind::Deleted,
    UserEventKind::Restored,
];

/// Runs the hooks on a change. They learn of a self sign-up when its address is verified, as of a new account.
async fn run_hooks(
    tx: &DatabaseTransaction,
    actor: &Actor,
    (before, user, action): (&user::Model, &user::Model, &str),
    is_known: bool,
) -> Result<(), HookError> {
    let is_verified = user.email_verified_at.is_some() && user.email_verified_at != before.email_verified_at;
    if !is_known && !is_verified {
        return Ok(());
    }
    let event = match (before.deleted_at, user.deleted_at) {
        _ if !is_known => UserEvent::Created(UserCreated { user }),
        (None, Some(_)) => UserEvent::Deleted(UserDeleted { before, user }),
        (Some(_), None) => UserEvent::Restored(UserRestored { before, user }),
        _ => UserEvent::Changed(UserChanged { before, user, action }),
    };
    hooks::run(tx, actor, event).await?;
    if is_verified {
        hooks::run(tx, actor, UserEvent::Verified(UserVerified { before, user })).await?;
    }
    Ok(())
}

impl From<ChangeError> for RedeemError {
    fn from(error: ChangeError) -> Self {
        match error {
            ChangeError::Refused(fields) => Self::Refused(fields),
            other => Self::Db(plain(other)),
        }
    }
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
