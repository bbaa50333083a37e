//! What a mail says, written down once: one look makes HTML of it and another plain text, so the two never differ.

use askama::Template;
use chrono::{DateTime, Utc};

/// A mail's content. All of it is plain text: nothing in it is read as markup.
#[derive(Clone, Debug)]
pub struct Letter {
    subject: String,
    heading: String,
    lines: Vec<String>,
    facts: Vec<(&'static str, String)>,
    button: Option<(&'static str, Link)>,
    why: String,
}

/// An address that does one thing, once.
#[derive(Clone, Debug)]
pub struct Link {
    pub url: String,
    pub until: DateTime<Utc>,
}

/// Columns of the plain text (RFC 3676 §4.2 asks for fewer than 78).
const WIDTH: usize = 72;

impl Letter {
    /// A letter with this subject, which is also its heading; `line`s and all else follow.
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

    /// Another heading than the subject.
    #[must_use]
    pub fn heading(mut self, heading: impl Into<String>) -> Self {
        self.heading = heading.into();
        self
    }

    /// One more paragraph. The first one is also what mail programs show beside the subject.
    #[must_use]
    pub fn line(mut self, line: impl Into<String>) -> Self {
        self.lines.push(line.into());
        self
    }

    /// One more row of the table under the paragraphs.
    #[must_use]
    pub fn fact(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.facts.push((name, value.into()));
        self
    }

    /// What the reader may do. The address stands below it in full, with the time until which it works.
    #[must_use]
    pub fn button(mut self, label: &'static str, link: Link) -> Self {
        self.button = Some((label, link));
        self
    }

    /// Why the reader gets this mail, and what to do if it was not them: the small print.
    #[must_use]
    pub fn why(mut self, why: impl Into<String>) -> Self {
        self.why = why.into();
        self
    }

    #[must_use]
    pub fn subject(&self) -> &str {
        &self.subject
    }

    pub(crate) fn text(&self, product: &str) -> Result<String, askama::Error> {
        Text { product, letter: self }.render()
    }

    pub(crate) fn html(&self, product: &str) -> Result<String, askama::Error> {
        Html { product, letter: self }.render()
    }
}

impl Link {
    fn until(&self) -> String {
        moment(self.until)
    }
}

/// A time for people, such as `22 November 2026, 14:00 UTC`.
pub(crate) fn moment(at: DateTime<Utc>) -> String {
    at.format("%-d %B %Y, %H:%M UTC").to_string()
}

#[derive(Template)]
#[template(path = "letter.txt")]
struct Text<'a> {
    product: &'a str,
    letter: &'a Letter,
}

#[derive(Template)]
#[template(path = "letter.html")]
struct Html<'a> {
    product: &'a str,
    letter: &'a Letter,
}

/// Breaks a paragraph into lines; a word that is longer than a line keeps one for itself.
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
