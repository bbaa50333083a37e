//! Changing an account's email address, and undoing that if its owner didn't want it.

use sea_orm::{ActiveValue::Set, DbErr};
use thiserror::Error;

use super::{
    find::lock_by_email_key,
    mails::{announce_deletion, offer_undo, send_password_reset, send_verification},
    proof::{owner, prove},
    write::{ChangeError, write},
};
use crate::{
    accounts::{
        mail_tokens::{self, LinkPurpose, LinkRequest, RedeemError},
        mfa,
        sessions::{self, Which},
    },
    audit::{self, Actor, Entry, ObjectType},
    foundation::{
        entity::{audit_log::ActorKind, user},
        rules::{Email, FieldErrors},
        time::now,
    },
    jobs::{EmailChangeConfirm, EnqueueError, EnqueueOptions, Tx},
};

/// Why the address was not changed.
#[derive(Debug, Error)]
pub enum EmailChangeError {
    #[error(transparent)]
    Token(#[from] RedeemError),
    #[error("this email address is registered already")]
    EmailTaken,
    /// A hook of the product refused it.
    #[error("{0}")]
    Refused(FieldErrors),
    #[error(transparent)]
    Db(#[from] DbErr),
    #[error(transparent)]
    Enqueue(#[from] EnqueueError),
}

impl From<ChangeError> for EmailChangeError {
    fn from(error: ChangeError) -> Self {
        match error {
            ChangeError::EmailTaken => Self::EmailTaken,
            ChangeError::Refused(fields) => Self::Refused(fields),
            ChangeError::Db(error) => Self::Db(error),
            ChangeError::Status => Self::Token(RedeemError::Invalid),
        }
    }
}

/// Mails the new address a link that confirms the change. An earlier request ends.
pub async fn ask_email_change(tx: &Tx, user: &user::Model, email: &Email, actor: &Actor) -> Result<(), EnqueueError> {
    let (user_id, new_email) = (user.id, email.as_str().to_owned());
    let mail = EmailChangeConfirm { user_id, new_email };
    let options = EnqueueOptions::by(actor);
    let link = LinkRequest::new(user_id, LinkPurpose::EMAIL_CHANGE_CONFIRM).at(email.as_str());
    mail_tokens::request(tx, link, mail, options).await?;
    let entry = Entry::about(ObjectType::User, user_id, &user.email, "ask_email_change");
    Ok(audit::record(&**tx, actor, entry).await?)
}

/// Gives the account the address that this token was mailed to. The old address gets a link to undo that, valid for 72
/// hours.
pub async fn confirm_email_change(tx: &Tx, raw: &str, actor: &Actor) -> Result<user::Model, EmailChangeError> {
    let (token, before) = owner(tx, raw, LinkPurpose::EMAIL_CHANGE_CONFIRM).await?;
    mail_tokens::redeem(&**tx, raw, LinkPurpose::EMAIL_CHANGE_CONFIRM).await?;
    let email = token.email.ok_or(RedeemError::Invalid)?;
    mail_tokens::spend_all_but_undo(&**tx, before.id).await?;
    let was = before.clone();
    let row = at(tx, &before, email).await?;
    let user = prove(tx, before, row, "change_email", actor).await?;
    offer_undo(tx, &was, actor).await?;
    announce_deletion(tx, &user, actor).await?;
    Ok(user)
}

/// Gives the account back the address that this token was mailed to. Whoever changed it may know the password, so the
/// password and all sessions end, a scheduled deletion is cancelled, and the old address gets a link to set a new
/// password. Undo links to even older addresses stay valid, because those were the owner's for longer.
pub async fn undo_email_change(tx: &Tx, raw: &str, actor: &Actor) -> Result<user::Model, EmailChangeError> {
    let (_, before) = owner(tx, raw, LinkPurpose::EMAIL_CHANGE_UNDO).await?;
    let token = mail_tokens::redeem_one(&**tx, raw, LinkPurpose::EMAIL_CHANGE_UNDO).await?;
    let email = token.email.clone().ok_or(RedeemError::Invalid)?;
    mail_tokens::spend_later_undos(&**tx, &token).await?;
    mail_tokens::spend_all_but_undo(&**tx, before.id).await?;
    sessions::end(&**tx, before.id, Which::All, "email change undone").await?;
    mfa::forget_enrolments(&**tx, before.id).await?;
    let row = user::ActiveModel {
        password_hash: Set(None),
        delete_at: Set(None),
        ..at(tx, &before, email).await?
    };
    let user = prove(tx, before, row, "undo_email_change", actor).await?;
    send_password_reset(tx, user.id, EnqueueOptions::by(actor)).await?;
    Ok(user)
}

/// The account with another address, which its owner has verified.
async fn at(tx: &Tx, user: &user::Model, email: String) -> Result<user::ActiveModel, ChangeError> {
    let key = Email::key_of(&email);
    if key != user.email_key {
        release(tx, &key).await?;
    }
    Ok(user::ActiveModel {
        email_key: Set(key),
        // A token of the previous release has the domain in ASCII.
        email: Set(Email::shown(&email).into_owned()),
        ..user.clone().into()
    })
}

/// Ends sessions and mailed links when an address changes without verification, and the password unless the owner made
/// the change. Call it before the change is written.
pub(super) async fn leave(
    tx: &Tx,
    before: &user::Model,
    row: &mut user::ActiveModel,
    actor: &Actor,
) -> Result<(), DbErr> {
    row.email_verified_at = Set(None);
    let is_owner = actor.kind == ActorKind::User && actor.id == Some(before.id);
    if !is_owner {
        row.password_hash = Set(None);
    }
    sessions::end(&**tx, before.id, Which::All, "email changed").await?;
    mfa::forget_enrolments(&**tx, before.id).await?;
    mail_tokens::spend_all_but_undo(&**tx, before.id).await
}

/// The mails of such a change: to the old address, if it was verified, a link to undo it; to the new one a link to
/// verify it, unless the welcome mail is still to come.
pub(super) async fn tell(
    tx: &Tx,
    before: &user::Model,
    after: &user::Model,
    actor: &Actor,
) -> Result<(), EnqueueError> {
    offer_undo(tx, before, actor).await?;
    let was_mailed = before
        .email_verified_at
        .or(before.welcomed_at)
        .or(before.password_changed_at);
    if was_mailed.is_some() {
        send_verification(tx, after.id, EnqueueOptions::by(actor)).await?;
    }
    announce_deletion(tx, after, actor).await
}

/// The domain of accounts without an address; no mail can be sent there (RFC 2606).
const NOWHERE: &str = "@no-address.invalid";

/// Whether the account lost its address to somebody who verified it.
#[must_use]
pub fn has_no_address(user: &user::Model) -> bool {
    user.email_key.ends_with(NOWHERE)
}

/// Takes an address from an account that never verified it, for one that has. The account stays, because a service may
/// have data of it, but nobody can sign in to it; a mere sign-up is deleted. Staff keep their address, because access
/// to a mailbox must not affect their rights.
async fn release(tx: &Tx, key: &str) -> Result<(), ChangeError> {
    let holder = lock_by_email_key(tx, key).await?;
    let unproved = holder.filter(|user| user.email_verified_at.is_none() && !user.is_staff && !user.is_superuser);
    let Some(before) = unproved else { return Ok(()) };
    let id = before.id;
    let nowhere = format!("user-{id}{NOWHERE}");
    let is_sign_up = before.password_hash.is_some() && before.last_login_at.is_none() && before.external_id.is_none();
    let mut row = user::ActiveModel {
        email: Set(nowhere.clone()),
        email_key: Set(nowhere),
        password_hash: Set(None),
        ..before.clone().into()
    };
    if is_sign_up && before.deleted_at.is_none() {
        row.deleted_at = Set(Some(now()));
    }
    sessions::end(&**tx, id, Which::All, "address proved by somebody else").await?;
    mfa::forget_enrolments(&**tx, id).await?;
    mail_tokens::spend_all(&**tx, id).await?;
    let reason = "another account has proved the address".to_owned();
    write(tx, before, row, "release_email", Some(reason), &Actor::system()).await?;
    Ok(())
}
