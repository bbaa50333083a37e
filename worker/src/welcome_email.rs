//! `welcome_email`: greets a new account and lets its owner set the first password.

use std::time::Duration;

use askama::Template;
use chrono::{DateTime, Utc};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, sea_query::Expr};
use usher_shared::{
    Token,
    entity::{mail_token::MailTokenPurpose, user},
    jobs::{Job, WelcomeEmail},
    mail_tokens,
    time::now,
};

use crate::{Backoff, JobContext, JobError, Mail, Policy};

/// How long the link works.
const LINK_LIFETIME: chrono::Duration = chrono::Duration::hours(72);

/// Tries for about as long as a link lives: three days, at an hour between attempts.
pub(crate) const POLICY: Policy = Policy {
    attempts: 80,
    backoff: Backoff {
        first: Duration::from_secs(15),
        cap: Duration::from_secs(3600),
    },
    timeout: Duration::from_secs(60),
};

/// Safe to run twice: a user who is gone, or greeted already, is left alone.
pub(crate) async fn send(job: WelcomeEmail, context: JobContext) -> Result<(), JobError> {
    let Some(user) = user::Entity::find_by_id(job.user_id).one(&context.db).await? else {
        return Ok(());
    };
    if user.deleted_at.is_some() || user.welcomed_at.is_some() {
        return Ok(());
    }
    let until = now() + LINK_LIFETIME;
    let token = mail_tokens::issue(&context.db, user.id, MailTokenPurpose::SetPassword, LINK_LIFETIME).await?;
    let mail = render(&context, &user, &token, until)?;
    let delivery = context.mailer.deliver(&context, mail).await?;

    let tx = context.begin().await?;
    delivery.record(&*tx).await?;
    user::Entity::update_many()
        .col_expr(user::Column::WelcomedAt, Expr::value(now()))
        .filter(user::Column::Id.eq(user.id))
        .exec(&*tx)
        .await?;
    context.complete(tx).await
}

#[derive(Template)]
#[template(path = "welcome_email.txt")]
struct Text<'a> {
    house: &'a str,
    greeting: &'a str,
    link: &'a str,
    until: &'a str,
}

#[derive(Template)]
#[template(path = "welcome_email.html")]
struct Html<'a> {
    subject: &'a str,
    house: &'a str,
    greeting: &'a str,
    link: &'a str,
    until: &'a str,
}

fn render(
    context: &JobContext,
    user: &user::Model,
    token: &Token,
    until: DateTime<Utc>,
) -> Result<Mail, askama::Error> {
    let house = context.mailer.sender();
    let subject = format!("Welcome to {house}");
    let greeting = greeting(&user.name);
    let link = format!("{}/set-password?token={}", context.config.app_url, token.as_str());
    let until = until.format("%-d %B %Y, %H:%M UTC").to_string();
    let text = Text {
        house,
        greeting: &greeting,
        link: &link,
        until: &until,
    };
    let html = Html {
        subject: &subject,
        house,
        greeting: &greeting,
        link: &link,
        until: &until,
    };
    Ok(Mail {
        kind: WelcomeEmail::KIND,
        user_id: user.id,
        name: user.name.clone(),
        address: user.email.clone(),
        text: text.render()?,
        html: html.render()?,
        subject,
    })
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
