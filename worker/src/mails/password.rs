//! `password_reset` and `password_changed`.

use chrono::Duration;
use usher_shared::{
    foundation::entity::mail_token::MailTokenPurpose,
    jobs::{PasswordChanged, PasswordReset},
};

use crate::{JobContext, JobError, Letter, letter::moment};

/// How long the link works.
const LINK_LIFETIME: Duration = Duration::minutes(30);

pub(super) async fn reset(job: PasswordReset, context: JobContext) -> Result<(), JobError> {
    let Some(user) = context.account(job.user_id).await? else {
        return Ok(());
    };
    let purpose = MailTokenPurpose::PasswordReset;
    let link = context.link("reset-password", user.id, purpose, LINK_LIFETIME, &user.email);
    let product = context.product();
    let letter = Letter::new("Choose a new password")
        .line(format!(
            "With the link below you choose a new password for your account at {product}. All your devices are signed out \
             then."
        ))
        .button("Choose a new password", link)
        .why(format!(
            "You're receiving this email because someone asked for a new password for your account at {product}, or it needs \
             one. If you don't know why, do nothing: nothing changes without this link."
        ));
    context.post(&user, letter).await
}

pub(super) async fn changed(job: PasswordChanged, context: JobContext) -> Result<(), JobError> {
    let Some(user) = context.account(job.user_id).await? else {
        return Ok(());
    };
    let (product, app) = (context.product(), &context.config.app_url);
    let letter = Letter::new("Your password was changed")
        .line(format!(
            "The password of your account at {product} was changed. If it was you, all is well."
        ))
        .line(format!(
            "If it was not you, somebody else can sign in: ask for a new password at {app} now."
        ))
        .fact("When", moment(context.job.created_at))
        .why(format!(
            "You receive this mail because it is about the safety of your account at {product}."
        ));
    context.post(&user, letter).await
}
