//! `deletion_scheduled`: when the account will be deleted, and how to keep it.

use usher_shared::{accounts::mail_tokens::LinkPurpose, foundation::time::now, jobs::DeletionScheduled};

use crate::{foundation::JobError, mail::moment, runtime::JobContext, texts};

pub(super) async fn send(job: DeletionScheduled, context: JobContext) -> Result<(), JobError> {
    let Some(user) = context.account(job.user_id).await? else {
        return Ok(());
    };
    let left = job.delete_at - now();
    if left <= chrono::Duration::zero() {
        return Ok(());
    }
    let link = context.link("keep-account", &user, LinkPurpose::CANCEL_DELETION.lasting(left));
    let message = context
        .message(&texts::DELETION_SCHEDULED)
        .fact(texts::DELETION_DATE, moment(job.delete_at))
        .button(texts::KEEP_ACCOUNT_BUTTON, link);
    context.post(&user, message).await
}
