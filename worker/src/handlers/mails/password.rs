//! `password_reset` and `password_changed`.

use usher_shared::{
    accounts::mail_tokens::LinkPurpose,
    jobs::{PasswordChanged, PasswordReset},
};

use crate::{foundation::JobError, mail::moment, runtime::JobContext, texts};

pub(super) async fn reset(job: PasswordReset, context: JobContext) -> Result<(), JobError> {
    let Some(user) = context.account(job.user_id).await? else {
        return Ok(());
    };
    let link = context.link("reset-password", &user, LinkPurpose::PASSWORD_RESET);
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
