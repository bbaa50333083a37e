//! The mails that tell owners about their account, and those with a link. Each is a job in the caller's transaction.

use crate::{
    accounts::mail_tokens::{self, LinkPurpose, LinkRequest},
    audit::Actor,
    foundation::entity::user,
    jobs::{
        DeletionScheduled, EmailChangeUndo, EnqueueError, EnqueueOptions, Enqueued, PasswordChanged, PasswordReset, Tx,
        VerifyEmail, enqueue_with,
    },
};

/// Mails a link that sets a new password; the previous link ends. The caller checks who may ask for it.
pub async fn send_password_reset(tx: &Tx, user_id: i64, options: EnqueueOptions) -> Result<Enqueued, EnqueueError> {
    let link = LinkRequest::new(user_id, LinkPurpose::PASSWORD_RESET);
    mail_tokens::request(tx, link, PasswordReset { user_id }, options).await
}

/// Mails a link that verifies the address; the previous link ends. The caller checks who may ask for it.
pub async fn send_verification(tx: &Tx, user_id: i64, options: EnqueueOptions) -> Result<Enqueued, EnqueueError> {
    let link = LinkRequest::new(user_id, LinkPurpose::VERIFY_EMAIL);
    mail_tokens::request(tx, link, VerifyEmail { user_id }, options).await
}

/// Mails when the account will be deleted, with a link to keep it.
pub(super) async fn announce_deletion(tx: &Tx, user: &user::Model, actor: &Actor) -> Result<(), EnqueueError> {
    let Some(delete_at) = user.delete_at else { return Ok(()) };
    let mail = DeletionScheduled {
        user_id: user.id,
        delete_at,
    };
    let options = EnqueueOptions::by(actor);
    let link = LinkRequest::new(user.id, LinkPurpose::CANCEL_DELETION);
    mail_tokens::request(tx, link, mail, options).await?;
    Ok(())
}

/// Mails the old address a link to undo the change, if the address was verified.
pub(super) async fn offer_undo(tx: &Tx, before: &user::Model, actor: &Actor) -> Result<(), EnqueueError> {
    if before.email_verified_at.is_none() {
        return Ok(());
    }
    let (user_id, old_email) = (before.id, before.email.clone());
    let mail = EmailChangeUndo {
        user_id,
        old_email: old_email.clone(),
    };
    let options = EnqueueOptions::by(actor);
    let link = LinkRequest::new(user_id, LinkPurpose::EMAIL_CHANGE_UNDO).at(&old_email);
    mail_tokens::request(tx, link, mail, options).await?;
    Ok(())
}

/// Tells the owner that the password was changed.
pub(super) async fn tell_password_changed(tx: &Tx, user_id: i64, actor: &Actor) -> Result<(), EnqueueError> {
    let options = EnqueueOptions::by(actor);
    enqueue_with(tx, PasswordChanged { user_id }, options).await.map(drop)
}
