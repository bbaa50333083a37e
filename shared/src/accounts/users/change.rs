//! Changing an account, and ending what the change invalidates.

use chrono::{DateTime, Utc};
use sea_orm::{ActiveValue::Set, DatabaseTransaction, IntoActiveModel};

use super::{
    email,
    write::{ChangeError, ON_CHANGE, db_error, write},
};
use crate::{
    accounts::{
        hooks, mail_tokens,
        sessions::{self, Which},
    },
    audit::Actor,
    foundation::{
        db,
        entity::user::{self, UserStatus},
        rules::{Age, Email, Name, Reason},
        time::now,
    },
    jobs::Tx,
};

/// Changes to an account; none leaves a value unchanged.
#[derive(Clone, Debug, Default)]
pub struct Edit {
    pub name: Option<Name>,
    pub email: Option<Email>,
    pub age: Option<Option<Age>>,
}

/// A change of whether a user may sign in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatusChange {
    /// Sessions are refused, not ended, while the lock lasts. Without an end it lasts until somebody unlocks the
    /// account.
    Locked { until: Option<DateTime<Utc>> },
    /// From locked to active.
    Unlocked,
    /// Also ends the sessions.
    Deactivated,
    /// From deactivated to active.
    Reactivated,
}

/// Changes the account that [`super::find_for_change`] returned. Writes nothing if nothing differs.
///
/// A new email address is unverified: sessions and mailed links end, and so does the password unless the owner made the
/// change. The old address gets a mail with a link to undo it. After an error other than [`ChangeError::Refused`] the
/// transaction must be dropped.
pub async fn edit(tx: &Tx, before: user::Model, edit: Edit, actor: &Actor) -> Result<user::Model, ChangeError> {
    if hooks::has_hooks(&ON_CHANGE) {
        db::savepoint(&**tx, apply(tx, before, edit, actor)).await
    } else {
        apply(tx, before, edit, actor).await
    }
}

async fn apply(tx: &Tx, before: user::Model, edit: Edit, actor: &Actor) -> Result<user::Model, ChangeError> {
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

/// Changes whether the account may sign in. A lock can be replaced; a deactivated account can only be reactivated.
pub async fn change_status(
    tx: &DatabaseTransaction,
    before: user::Model,
    change: StatusChange,
    reason: Option<Reason>,
    actor: &Actor,
) -> Result<user::Model, ChangeError> {
    let reason = reason.map(Reason::into_text);
    let (action, status) = match (change, before.status_at(now())) {
        (StatusChange::Locked { .. }, UserStatus::Active | UserStatus::Locked) => ("lock", UserStatus::Locked),
        (StatusChange::Unlocked, UserStatus::Active | UserStatus::Locked) => ("unlock", UserStatus::Active),
        (StatusChange::Deactivated, _) => ("deactivate", UserStatus::Deactivated),
        (StatusChange::Reactivated, UserStatus::Active | UserStatus::Deactivated) => ("reactivate", UserStatus::Active),
        _ => return Err(ChangeError::Status),
    };
    let (until, lock_reason) = match change {
        StatusChange::Locked { until } => (until, reason.clone()),
        _ => (None, None),
    };
    let mut row = before.clone().into_active_model();
    row.status = Set(status);
    row.locked_until = Set(until);
    row.lock_reason = Set(lock_reason);
    if change == StatusChange::Deactivated {
        sessions::end(tx, before.id, Which::All, "user_deactivated").await?;
        mail_tokens::spend_all(tx, before.id).await?;
    }
    write(tx, before, row, action, reason, actor).await
}
