//! `welcome_email`: greets a new account and lets its owner set the first password.

use chrono::Duration;
use usher_shared::{entity::mail_token::MailTokenPurpose, jobs::WelcomeEmail};

use crate::{JobContext, JobError, Letter};

/// How long the link works.
const LINK_LIFETIME: Duration = Duration::hours(72);

/// Safe to run twice: a user who is gone, or greeted already, is left alone.
pub(super) async fn send(job: WelcomeEmail, context: JobContext) -> Result<(), JobError> {
    let Some(user) = context.account(job.user_id).await? else {
        return Ok(());
    };
    if user.welcomed_at.is_some() {
        return Ok(());
    }
    let purpose = MailTokenPurpose::SetPassword;
    let link = context.link("set-password", user.id, purpose, LINK_LIFETIME, &user.email);
    let house = context.house();
    let letter = Letter::new(format!("Welcome to {house}"))
        .heading(greeting(&user.name))
        .line("Your account is ready. Choose a password, and you can sign in.")
        .button("Set your password", link)
        .why(format!(
            "You receive this mail because an account was made with this address at {house}. If it was not you, do \
             nothing: without this link nobody can sign in."
        ));
    let delivery = context.deliver(&user, letter).await?;
    context.end(delivery, Some(user.id)).await
}

/// Greets by name, unless a mail program would make a link of it: whoever signs up with somebody else's address
/// chooses the name, and must not advertise in our mail.
fn greeting(name: &str) -> String {
    let linkable = |word: &str| {
        word.contains(['/', ':', '@']) || word.split('.').filter(|part| part.chars().count() > 1).count() > 1
    };
    if name.split_whitespace().any(linkable) {
        "Welcome!".to_owned()
    } else {
        format!("Welcome, {name}!")
    }
}

#[cfg(test)]
mod tests {
    use super::greeting;

    #[test]
    fn a_name_that_reads_as_a_link_is_not_repeated() {
        for name in [
            "Ada Lovelace",
            "J. R. R. Tolkien",
            "Dr. No",
            "Ødegård-O'Neill Jr.",
            "李小龍",
        ] {
            assert_eq!(greeting(name), format!("Welcome, {name}!"));
        }
        for name in [
            "Win at evil.example",
            "https://evil.example",
            "x evil.example/a",
            "a@b",
            "WWW.EVIL.EXAMPLE",
        ] {
            assert_eq!(greeting(name), "Welcome!");
        }
    }
}
