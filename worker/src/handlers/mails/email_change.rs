//! `email_change_confirm` to the new mailbox, `email_change_undo` to the old one.

use chrono::Duration;
use usher_shared::{
    foundation::entity::mail_token::MailTokenPurpose,
    jobs::{EmailChangeConfirm, EmailChangeUndo},
};

use crate::{
    foundation::JobError,
    mail::{Recipient, moment},
    runtime::JobContext,
    texts,
};

const CONFIRM_LIFETIME: Duration = Duration::hours(24);
/// Long enough for a weekend away from the mailbox.
const UNDO_LIFETIME: Duration = Duration::hours(72);

pub(super) async fn confirm(job: EmailChangeConfirm, context: JobContext) -> Result<(), JobError> {
    let Some(user) = context.account(job.user_id).await? else {
        return Ok(());
    };
    if user.email == job.new_email {
        return Ok(());
    }
    let purpose = MailTokenPurpose::EmailChangeConfirm;
    let link = context.link(
        "confirm-email-change",
        user.id,
        purpose,
        CONFIRM_LIFETIME,
        &job.new_email,
    );
    let message = context
        .message(&texts::EMAIL_CHANGE_CONFIRM)
        .button(texts::EMAIL_CHANGE_BUTTON, link);
    context.post(Recipient::at(&user, &job.new_email), message).await
}

pub(super) async fn undo(job: EmailChangeUndo, context: JobContext) -> Result<(), JobError> {
    let Some(user) = context.account(job.user_id).await? else {
        return Ok(());
    };
    let purpose = MailTokenPurpose::EmailChangeUndo;
    let link = context.link("undo-email-change", user.id, purpose, UNDO_LIFETIME, &job.old_email);
    let message = context
        .message(&texts::EMAIL_CHANGE_UNDO)
        .fact(texts::WHEN, moment(context.job.created_at))
        .button(texts::UNDO_BUTTON, link);
    context.post(Recipient::at(&user, &job.old_email), message).await
}
