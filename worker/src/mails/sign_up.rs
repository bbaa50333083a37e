//! `verify_email` and `someone_tried_to_sign_up`: the two answers to a sign-up, which only the mailbox's owner sees.

use chrono::Duration;
use usher_shared::{
    entity::mail_token::MailTokenPurpose,
    jobs::{SomeoneTriedToSignUp, VerifyEmail},
};

use crate::{JobContext, JobError, Letter};

/// How long the link works.
const LINK_LIFETIME: Duration = Duration::hours(72);

pub(super) async fn verify_email(job: VerifyEmail, context: JobContext) -> Result<(), JobError> {
    let Some(user) = context.account(job.user_id).await? else {
        return Ok(());
    };
    if user.email_verified_at.is_some() {
        return Ok(());
    }
    let purpose = MailTokenPurpose::VerifyEmail;
    let link = context.link("verify-email", user.id, purpose, LINK_LIFETIME, &user.email);
    let house = context.house();
    let letter = Letter::new("Confirm your email address")
        .line(format!(
            "One more step, and your account at {house} is complete: confirm that this is your address."
        ))
        .button("Confirm this address", link)
        .why(format!(
            "You receive this mail because this address was given to {house}. If it was not you, do nothing: the \
             address stays unconfirmed."
        ));
    context.post(&user, letter).await
}

pub(super) async fn someone_tried(job: SomeoneTriedToSignUp, context: JobContext) -> Result<(), JobError> {
    let Some(user) = context.account(job.user_id).await? else {
        return Ok(());
    };
    let (house, app) = (context.house(), &context.config.app_url);
    let letter = Letter::new("You have an account already")
        .line(format!("Somebody tried to sign up at {house} with this address. It has an account, so nothing was changed."))
        .line(format!("If it was you, sign in at {app} as before. If you do not know the password any more, ask there for a new one."))
        .why(format!(
            "You receive this mail because this address has an account at {house}. If it was not you who tried, do \
             nothing: whoever it was has learned nothing."
        ));
    context.post(&user, letter).await
}
