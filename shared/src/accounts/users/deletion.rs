//! An owner asks for the end of the account: a week to think better of it, then it is deleted.

use chrono::TimeDelta;
use sea_orm::ActiveValue::Set;

use super::{
    ChangeError,
    change::write,
    delete, find_for_change,
    proof::{owner, plain, prove},
};
use crate::{
    accounts::mail_tokens::{self, RedeemError},
    audit::Actor,
    foundation::{
        entity::{mail_token::MailTokenPurpose, user},
        time::now,
    },
    jobs::{DeleteAccount, DeletionScheduled, EnqueueError, Options, Tx, enqueue_with},
};

/// Between the request and the end.
pub const DELETION_DELAY: TimeDelta = TimeDelta::days(7);
/// How long a deleted account can be restored; then it is purged and its address is free.
pub const RESTORABLE: TimeDelta = TimeDelta::days(30);

/// Notes that the account is to be deleted in a week, with the mail that says so and the job that does it. Asking again
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
    announce(tx, &user, actor).await?;
    enqueue_with(tx, DeleteAccount { user_id }, Options::at(delete_at)).await?;
    Ok(user)
}

/// Mails when the account will be deleted, with the link that keeps it.
pub(super) async fn announce(tx: &Tx, user: &user::Model, actor: &Actor) -> Result<(), EnqueueError> {
    let Some(delete_at) = user.delete_at else { return Ok(()) };
    let mail = DeletionScheduled {
        user_id: user.id,
        delete_at,
    };
    let options = Options::default().actor(actor.word());
    mail_tokens::request(tx, user.id, MailTokenPurpose::CancelDeletion, None, mail, options).await?;
    Ok(())
}

/// Keeps the account after all, by the token that was mailed.
pub async fn keep(tx: &Tx, raw: &str, actor: &Actor) -> Result<user::Model, RedeemError> {
    let (_, before) = owner(tx, raw, MailTokenPurpose::CancelDeletion).await?;
    mail_tokens::redeem(&**tx, raw, MailTokenPurpose::CancelDeletion).await?;
    let row = user::ActiveModel {
        delete_at: Set(None),
        ..before.clone().into()
    };
    prove(tx, before, row, "keep_account", actor)
        .await
        .map_err(|error| plain(error).into())
}

/// Deletes the account if that is still wanted, and due. Whether it was.
pub async fn delete_if_due(tx: &Tx, user_id: i64) -> Result<bool, ChangeError> {
    let user = find_for_change(tx, user_id).await?;
    let Some(due) = user.filter(|user| user.delete_at.is_some_and(|at| at <= now())) else {
        return Ok(false);
    };
    delete(tx, due, None, &Actor::system()).await?;
    Ok(true)
}
