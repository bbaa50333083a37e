//! `email_change_confirm` to the new mailbox, `email_change_undo` to the old one.

use usher_shared::{
    accounts::mail_tokens::LinkPurpose,
    jobs::{EmailChangeConfirm, EmailChangeUndo},
};

use crate::{
    foundation::JobError,
    mail::{Recipient, moment},
    runtime::JobContext,
    texts,
};

pub(super) async fn confirm(job: EmailChangeConfirm, context: JobContext) -> Result<(), JobError> {
    let Some(user) = context.account(job.user_id).await? else {
        return Ok(());
    };
    if user.email == job.new_email {
        return Ok(());
    }
    let to = Recipient::at(&user, &job.new_email);
    let link = context.link("confirm-email-change", to.clone(), LinkPurpose::EMAIL_CHANGE_CONFIRM);
    let message = context
        .message(&texts::EMAIL_CHANGE_CONFIRM)
        .button(texts::EMAIL_CHANGE_BUTTON, link);
    context.post(to, message).await
}

pub(super) async fn undo(job: EmailChangeUndo, context: JobContext) -> Result<(), JobError> {
    let Some(user) = context.account(job.user_id).await? else {
        return Ok(());
    };
    let to = Recipient::at(&user, &job.old_email);
    let link = context.link("undo-email-change", to.clone(), LinkPurpose::EMAIL_CHANGE_UNDO);
    let message = context
        .message(&texts::EMAIL_CHANGE_UNDO)
        .fact(texts::WHEN, moment(context.job.created_at))
        .button(texts::UNDO_BUTTON, link);
    context.post(to, message).await
}
