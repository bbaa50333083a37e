//! `welcome_email`: welcomes a new user, who can set the first password.

use usher_shared::{accounts::mail_tokens::LinkPurpose, jobs::WelcomeEmail};

use crate::{foundation::JobError, runtime::JobContext, texts};

/// Safe to run twice: a user who is gone, was welcomed already or has a password gets no mail. The mail contains
/// nothing that was typed into the account, not even the name: its creator may have given someone else's address.
pub(super) async fn send(job: WelcomeEmail, context: JobContext) -> Result<(), JobError> {
    let Some(user) = context.account(job.user_id).await? else {
        return Ok(());
    };
    if user.welcomed_at.is_some() || user.password_hash.is_some() {
        return Ok(());
    }
    let link = context.link("set-password", &user, LinkPurpose::SET_PASSWORD);
    let message = context
        .message(&texts::WELCOME)
        .button(texts::SET_PASSWORD_BUTTON, link);
    let delivery = context.deliver(&user, message).await?;
    context.end(delivery, Some(user.id)).await
}
