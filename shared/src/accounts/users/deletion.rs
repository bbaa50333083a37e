//! Deleting accounts. An owner who asks for it has a week to cancel.

use chrono::TimeDelta;
use sea_orm::{
    ActiveValue::Set, ColumnTrait, DatabaseTransaction, EntityTrait, IntoActiveModel, QueryFilter, QuerySelect,
};

use super::{
    find::find_for_change,
    mails,
    proof::{owner, prove},
    write::{ChangeError, plain, write},
};
use crate::{
    accounts::{
        mail_tokens::{self, LinkPurpose, RedeemError},
        sessions::{self, Which},
    },
    audit::Actor,
    foundation::{entity::user, rules::Reason, time::now},
    jobs::{DeleteAccount, EnqueueError, EnqueueOptions, Tx, enqueue_with},
};

/// From the owner's request to the deletion.
pub const DELETION_DELAY: TimeDelta = TimeDelta::days(7);
/// How long a deleted account can be restored before it is purged and its address is free.
pub const RESTORABLE: TimeDelta = TimeDelta::days(30);

/// Schedules the account's deletion in a week, with the mail that says so and the job that does it. Asking again
/// changes nothing.
pub async fn schedule_deletion(tx: &Tx, before: user::Model, actor: &Actor) -> Result<user::Model, EnqueueError> {
    if before.delete_at.is_some() {
        return Ok(before);
    }
    let (user_id, delete_at) = (before.id, now() + DELETION_DELAY);
    let row = user::ActiveModel {
        delete_at: Set(Some(delete_at)),
        ..before.clone().into()
    };
    let user = write(tx, before, row, "schedule_deletion", None, actor)
        .await
        .map_err(plain)?;
    mails::announce_deletion(tx, &user, actor).await?;
    enqueue_with(tx, DeleteAccount { user_id }, EnqueueOptions::at(delete_at)).await?;
    Ok(user)
}

/// Cancels the scheduled deletion, with the mailed token.
pub async fn keep(tx: &Tx, raw: &str, actor: &Actor) -> Result<user::Model, RedeemError> {
    let (_, before) = owner(tx, raw, LinkPurpose::CANCEL_DELETION).await?;
    mail_tokens::redeem(&**tx, raw, LinkPurpose::CANCEL_DELETION).await?;
    let row = user::ActiveModel {
        delete_at: Set(None),
        ..before.clone().into()
    };
    Ok(prove(tx, before, row, "keep_account", actor).await?)
}

/// Marks the account as deleted and ends its sessions and mailed links. The email address stays taken until the account
/// is purged.
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

/// Restores a deleted account. Its sessions stay ended. False if the account doesn't exist or was not deleted.
pub async fn restore(tx: &DatabaseTransaction, id: i64, actor: &Actor) -> Result<bool, ChangeError> {
    let deleted = user::Entity::find_by_id(id).filter(user::Column::DeletedAt.is_not_null());
    let Some(before) = deleted.lock_exclusive().one(tx).await? else {
        return Ok(false);
    };
    let mut row = before.clone().into_active_model();
    row.deleted_at = Set(None);
    row.delete_at = Set(None);
    write(tx, before, row, "restore", None, actor).await?;
    Ok(true)
}

/// Deletes the account if that is still scheduled, and due. Returns whether it was.
pub async fn delete_if_due(tx: &Tx, user_id: i64) -> Result<bool, ChangeError> {
    let user = find_for_change(tx, user_id).await?;
    let Some(due) = user.filter(|user| user.delete_at.is_some_and(|at| at <= now())) else {
        return Ok(false);
    };
    delete(tx, due, None, &Actor::system()).await?;
    Ok(true)
}
