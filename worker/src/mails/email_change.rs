//! `email_change_confirm` to the new mailbox, `email_change_undo` to the old one.

use chrono::Duration;
use usher_shared::{
    foundation::entity::mail_token::MailTokenPurpose,
    jobs::{EmailChangeConfirm, EmailChangeUndo},
};

use crate::{JobContext, JobError, Letter, Recipient, letter::moment};

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
    let product = context.product();
    let letter = Letter::new("Confirm your new email address")
        .line(format!("This address is to become the one of your account at {product}. Confirm it, and you sign in with it from then on."))
        .button("Use this address", link)
        .why(format!(
            "You receive this mail because somebody wants to use this address at {product}. If it was not you, do \
             nothing: without this link nothing changes."
        ));
    context.post(Recipient::at(&user, &job.new_email), letter).await
}

pub(super) async fn undo(job: EmailChangeUndo, context: JobContext) -> Result<(), JobError> {
    let Some(user) = context.account(job.user_id).await? else {
        return Ok(());
    };
    let purpose = MailTokenPurpose::EmailChangeUndo;
    let link = context.link("undo-email-change", user.id, purpose, UNDO_LIFETIME, &job.old_email);
    let product = context.product();
    let letter = Letter::new("Your email address was changed")
        .line(format!(
            "Your account at {product} now has another address than this one. If you wanted this, there's nothing to do."
        ))
        .line("If you didn't, undo it: the account comes back to this address, and all devices are signed out.")
        .fact("When", moment(context.job.created_at))
        .button("Undo the change", link)
        .why(format!(
            "You receive this mail because this was the address of an account at {product}."
        ));
    context.post(Recipient::at(&user, &job.old_email), letter).await
}
