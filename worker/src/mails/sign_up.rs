//! `verify_email`, `someone_tried_to_sign_up` and `address_of_deleted_account`: the answers to a sign-up, which only the
//! mailbox's owner sees.

use chrono::Duration;
use usher_shared::{
    accounts::users::RESTORABLE,
    foundation::entity::mail_token::MailTokenPurpose,
    jobs::{AddressOfDeletedAccount, SomeoneTriedToSignUp, VerifyEmail},
};

use crate::{JobContext, JobError, Letter, letter::moment};

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
    let product = context.product();
    let line = if user.password_hash.is_some() {
        format!("One more step, and your account at {product} is complete: confirm that this is your address.")
    } else {
        format!(
            "One more step, and your account at {product} is complete: confirm that this is your address and choose a \
             password."
        )
    };
    let letter = Letter::new("Confirm your email address")
        .line(line)
        .button("Confirm this address", link)
        .why(format!(
            "You're receiving this email because someone gave this address to {product}. If that wasn't you, do \
             nothing: the address stays unconfirmed, and nobody can sign in with it."
        ));
    context.post(&user, letter).await
}

pub(super) async fn someone_tried(job: SomeoneTriedToSignUp, context: JobContext) -> Result<(), JobError> {
    let Some(user) = context.account(job.user_id).await? else {
        return Ok(());
    };
    let (product, app) = (context.product(), &context.config.app_url);
    let letter = Letter::new("You have an account already")
        .line(format!("Somebody tried to sign up at {product} with this address. It has an account, so nothing was changed."))
        .line(format!("If it was you, sign in at {app} as before. If you do not know the password any more, ask there for a new one."))
        .why(format!(
            "You receive this mail because this address has an account at {product}. If it was not you who tried, do \
             nothing: whoever it was has learned nothing."
        ));
    context.post(&user, letter).await
}

pub(super) async fn deleted(job: AddressOfDeletedAccount, context: JobContext) -> Result<(), JobError> {
    let Some(user) = context.deleted_account(job.user_id).await? else {
        return Ok(());
    };
    let Some(deleted_at) = user.deleted_at else {
        return Ok(());
    };
    let product = context.product();
    let letter = Letter::new("Your account was deleted")
        .line(format!(
            "Someone just used this address at {product}, to sign up or to ask for a link. Its account there was deleted, so \
             nothing was changed."
        ))
        .line(
            "Until the second date below, the people who run the service can restore the account with everything in it: \
             contact them. After that you can sign up with this address again.",
        )
        .fact("Deleted", moment(deleted_at))
        .fact("Can be restored until", moment(deleted_at + RESTORABLE))
        .why(format!(
            "You're receiving this email because this address had an account at {product}. If that wasn't you just now, do \
             nothing: whoever it was has learned nothing."
        ));
    context.post(&user, letter).await
}
