//! `password_reset` and `password_changed`.

use chrono::Duration;
use usher_shared::{
    foundation::entity::mail_token::MailTokenPurpose,
    jobs::{PasswordChanged, PasswordReset},
};

use crate::{foundation::JobError, mail::moment, runtime::JobContext, texts};

/// How long the link works.
const LINK_LIFETIME: Duration = Duration::minutes(30);

pub(super) async fn reset(job: PasswordReset, context: JobContext) -> Result<(), JobError> {
    let Some(user) = context.account(job.user_id).await? else {
        return Ok(());
    };
    let purpose = MailTokenPurpose::PasswordReset;
    let link = context.link("reset-password", user.id, purpose, LINK_LIFETIME, &user.email);
    let message = context
        .message(&texts::PASSWORD_RESET)
        .button(texts::NEW_PASSWORD_BUTTON, link);
    context.post(&user, message).await
}

pub(super) async fn changed(job: PasswordChanged, context: JobContext) -> Result<(), JobError> {
    let Some(user) = context.account(job.user_id).await? else {
        return Ok(());
    };
    let message = context.message(&texts::PASSWORD_CHANGED);
    context
        .post(&user, message.fact(texts::WHEN, moment(context.job.created_at)))
        .await
}
