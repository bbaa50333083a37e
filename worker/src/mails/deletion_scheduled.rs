//! `deletion_scheduled`: when the account will be gone, and how to keep it.

use usher_shared::{
    foundation::{entity::mail_token::MailTokenPurpose, time::now},
    jobs::DeletionScheduled,
};

use crate::{JobContext, JobError, Letter, letter::moment};

pub(super) async fn send(job: DeletionScheduled, context: JobContext) -> Result<(), JobError> {
    let Some(user) = context.account(job.user_id).await? else {
        return Ok(());
    };
    let left = job.delete_at - now();
    if left <= chrono::Duration::zero() {
        return Ok(());
    }
    let purpose = MailTokenPurpose::CancelDeletion;
    let link = context.link("keep-account", user.id, purpose, left, &user.email);
    let product = context.product();
    let letter = Letter::new("Your account will be deleted")
        .line(format!(
            "You asked to delete your account at {product}. Until the time below you can still change your mind."
        ))
        .fact("Deleted on", moment(job.delete_at))
        .button("Keep my account", link)
        .why(format!(
            "You receive this mail because the deletion of your account at {product} was asked for. If it was not you, \
             keep the account with the link above and change your password."
        ));
    context.post(&user, letter).await
}
