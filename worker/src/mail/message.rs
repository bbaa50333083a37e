//! The content of a mail, from which both its HTML and its plain text are rendered, so that the two never differ.

use askama::Template;
use chrono::{DateTime, Utc};
use usher_shared::foundation::{config::Config, entity::user};

use crate::texts::{self, Words};

/// The content of a mail. All of it is plain text: nothing in it is read as markup.
#[derive(Clone, Debug)]
pub struct MailMessage {
    subject: String,
    heading: String,
    lines: Vec<String>,
    facts: Vec<(&'static str, String)>,
    button: Option<(&'static str, Link)>,
    why: String,
}

/// A link that works once.
#[derive(Clone, Debug)]
pub struct Link {
    pub url: String,
    pub until: DateTime<Utc>,
}

/// Columns of the plain text (RFC 3676 §4.2 asks for fewer than 78).
const WIDTH: usize = 72;

impl MailMessage {
    /// A mail with this subject, which is also its heading; `line`s and the rest follow.
    #[must_use]
    pub fn new(subject: impl Into<String>) -> Self {
        let subject = subject.into();
        Self {
            heading: subject.clone(),
            subject,
            lines: Vec::new(),
            facts: Vec::new(),
            button: None,
            why: String::new(),
        }
    }

    /// A mail with this text, whose placeholders are filled in.
    pub(crate) fn of(words: &Words, config: &Config) -> Self {
        let fill = |text: &str| {
            text.replace("{app}", &config.app_url)
                .replace("{admin}", &config.admin_url)
                .replace("{product}", &config.product_name)
        };
        let message = Self::new(fill(words.subject)).why(fill(words.why));
        words
            .lines
            .iter()
            .fold(message, |message, line| message.line(fill(line)))
    }

    /// Sets a heading that differs from the subject.
    #[must_use]
    pub fn heading(mut self, heading: impl Into<String>) -> Self {
        self.heading = heading.into();
        self
    }

    /// Adds a paragraph. The first is also what mail programs show beside the subject.
    #[must_use]
    pub fn line(mut self, line: impl Into<String>) -> Self {
        self.lines.push(line.into());
        self
    }

    /// Adds a row to the table below the paragraphs.
    #[must_use]
    pub fn fact(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.facts.push((name, value.into()));
        self
    }

    /// Sets what the reader can do. Below it are the link in full and the time until which it works.
    #[must_use]
    pub fn button(mut self, label: &'static str, link: Link) -> Self {
        self.button = Some((label, link));
        self
    }

    /// Sets why the reader gets this mail, and what to do if they didn't expect it: the small print.
    #[must_use]
    pub fn why(mut self, why: impl Into<String>) -> Self {
        self.why = why.into();
        self
    }

    pub(crate) fn render(self, to: Recipient, product: &str) -> Result<Mail, askama::Error> {
        let message = &self;
        let (text, html) = (Text { product, message }.render()?, Html { product, message }.render()?);
        Ok(Mail {
            to,
            subject: self.subject,
            text,
            html,
        })
    }
}

/// Whom a mail goes to. An address that nobody has proved is mailed without a name: a stranger may have chosen it, and
/// must not write into our mail.
#[derive(Clone, Debug)]
pub struct Recipient {
    pub user_id: i64,
    pub name: Option<String>,
    pub address: String,
}

impl Recipient {
    /// The user at another address than the account's.
    #[must_use]
    pub fn at(user: &user::Model, address: &str) -> Self {
        Self {
            user_id: user.id,
            name: None,
            address: address.to_owned(),
        }
    }
}

impl From<&user::Model> for Recipient {
    fn from(user: &user::Model) -> Self {
        Self {
            user_id: user.id,
            name: user.email_verified_at.map(|_| user.name.clone()),
            address: user.email.clone(),
        }
    }
}

/// A rendered mail for one recipient.
#[derive(Clone, Debug)]
pub(crate) struct Mail {
    pub(super) to: Recipient,
    pub(super) subject: String,
    pub(super) text: String,
    pub(super) html: String,
}

fn link_lifetime(link: &Link) -> String {
    texts::link_lifetime(&moment(link.until))
}

/// A time for people to read, such as `22 November 2026, 14:00 UTC`.
pub(crate) fn moment(at: DateTime<Utc>) -> String {
    at.format("%-d %B %Y, %H:%M UTC").to_string()
}

#[derive(Template)]
#[template(path = "message.txt")]
struct Text<'a> {
    product: &'a str,
    message: &'a MailMessage,
}

#[derive(Template)]
#[template(path = "message.html")]
struct Html<'a> {
    product: &'a str,
    message: &'a MailMessage,
}

/// Breaks a paragraph into lines. A word that is longer than a line gets one of its own.
fn wrapped(paragraph: &str) -> String {
    let mut text = String::with_capacity(paragraph.len() + 8);
    let mut column = 0;
    for word in paragraph.split_whitespace() {
        let width = word.chars().count();
        if column > 0 {
            let fits = column + 1 + width <= WIDTH;
            text.push(if fits { ' ' } else { '\n' });
            column = if fits { column + 1 } else { 0 };
        }
        text.push_str(word);
        column += width;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paragraphs_are_broken_between_words_within_72_columns() {
        assert_eq!(wrapped("short"), "short");
        let text = wrapped(&"twelve chars ".repeat(20));
        assert!(text.lines().count() > 3 && text.lines().all(|line| line.len() <= WIDTH && !line.ends_with(' ')));
        let long = "x".repeat(100);
        assert_eq!(wrapped(&format!("a {long} b")), format!("a\n{long}\nb"));
    }
}
