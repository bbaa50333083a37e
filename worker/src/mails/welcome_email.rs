//! `welcome_email`: greets a new account and lets its owner set the first password.

use chrono::Duration;
use usher_shared::{foundation::entity::mail_token::MailTokenPurpose, jobs::WelcomeEmail};

use crate::{JobContext, JobError, Letter};

/// How long the link works.
const LINK_LIFETIME: Duration = Duration::hours(72);

/// Safe to run twice: a user who is gone, was greeted already or has a password is left alone. The mail says nothing that
/// was typed into the account, not even the name: whoever made it may have given somebody else's address.
pub(super) async fn send(job: WelcomeEmail, context: JobContext) -> Result<(), JobError> {
    let Some(user) = context.account(job.user_id).await? else {
        return Ok(());
    };
    if user.welcomed_at.is_some() || user.password_hash.is_some() {
        return Ok(());
    }
    let purpose = MailTokenPurpose::SetPassword;
    let link = context.link("set-password", user.id, purpose, LINK_LIFETIME, &user.email);
    let product = context.product();
    let letter = Letter::new(format!("Welcome to {product}"))
        .line("Your account is ready. Choose a password, and you can sign in.")
        .button("Set your password", link)
        .why(format!(
            "You're receiving this email because an account was created with this address at {product}. If you don't \
             know why, do nothing: nobody can sign in without this link."
        ));
    let delivery = context.deliver(&user, letter).await?;
    context.end(delivery, Some(user.id)).await
}
