//! An account moves to another email address, and back if its owner never wanted that.

use sea_orm::{ActiveValue::Set, DbErr};
use thiserror::Error;

use super::{ChangeError, change::write, sign_up::owner};
use crate::{
    audit::Actor,
    entity::{mail_token::MailTokenPurpose, user},
    jobs::{EmailChangeUndo, EnqueueError, PasswordReset, Tx, enqueue},
    mail_tokens::{self, RedeemError},
    mfa,
    rules::Email,
    sessions::{self, Which},
    time::now,
};

/// Why an account did not move.
#[derive(Debug, Error)]
pub enum EmailChangeError {
    #[error(transparent)]
    Token(#[from] RedeemError),
    #[error("this email address is registered already")]
    EmailTaken,
    #[error(transparent)]
    Db(#[from] DbErr),
    #[error(transparent)]
    Enqueue(#[from] EnqueueError),
}

impl From<ChangeError> for EmailChangeError {
    fn from(error: ChangeError) -> Self {
        match error {
            ChangeError::EmailTaken => Self::EmailTaken,
            ChangeError::Db(error) => Self::Db(error),
            ChangeError::Status => Self::Token(RedeemError::Invalid),
        }
    }
}

/// Gives the account the address to which this token was mailed. The old mailbox gets a way back for 72 hours.
pub async fn confirm_email_change(tx: &Tx, raw: &str, actor: &Actor) -> Result<user::Model, EmailChangeError> {
    let (token, before) = owner(tx, raw, MailTokenPurpose::EmailChangeConfirm).await?;
    mail_tokens::redeem(&**tx, raw, MailTokenPurpose::EmailChangeConfirm).await?;
    let email = token.email.ok_or(RedeemError::Invalid)?;
    mail_tokens::spend_all_but_undo(&**tx, before.id).await?;
    let (user_id, old_email) = (before.id, before.email.clone());
    let row = user::ActiveModel {
        email_key: Set(Email::key_of(&email)),
        email: Set(email),
        email_verified_at: Set(Some(now())),
        ..before.clone().into()
    };
    let owner = as_owner(&before, actor);
    let user = write(tx, before, row, "change_email", None, &owner).await?;
    enqueue(tx, EmailChangeUndo { user_id, old_email }).await?;
    Ok(user)
}

/// Gives the account back to the address it had when this token was mailed there. Whoever moved it away may know the
/// password: it opens nothing any more, all sessions end, a deletion is off, and the old mailbox gets a link for a new
/// password. Ways back to still older addresses stay open, because those were the owner's for longer.
pub async fn undo_email_change(tx: &Tx, raw: &str, actor: &Actor) -> Result<user::Model, EmailChangeError> {
    let (_, before) = owner(tx, raw, MailTokenPurpose::EmailChangeUndo).await?;
    let token = mail_tokens::redeem_one(&**tx, raw, MailTokenPurpose::EmailChangeUndo).await?;
    let email = token.email.clone().ok_or(RedeemError::Invalid)?;
    mail_tokens::spend_later_undos(&**tx, &token).await?;
    mail_tokens::spend_all_but_undo(&**tx, before.id).await?;
    sessions::end(&**tx, before.id, Which::All, "email change undone").await?;
    mfa::close_challenges(&**tx, before.id).await?;
    let user_id = before.id;
    let row = user::ActiveModel {
        email_key: Set(Email::key_of(&email)),
        email: Set(email),
        email_verified_at: Set(Some(now())),
        password_hash: Set(None),
        delete_at: Set(None),
        ..before.clone().into()
    };
    let owner = as_owner(&before, actor);
    let user = write(tx, before, row, "undo_email_change", None, &owner).await?;
    enqueue(tx, PasswordReset { user_id }).await?;
    Ok(user)
}

/// Whoever holds a token of the account's mailbox acts as its owner.
pub(super) fn as_owner(user: &user::Model, actor: &Actor) -> Actor {
    Actor {
        kind: crate::entity::audit_log::ActorKind::User,
        id: Some(user.id),
        label: user.name.clone(),
        ..actor.clone()
    }
}
