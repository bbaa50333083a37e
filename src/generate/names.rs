//! Names in the forms that code and pages have.

use anyhow::{Result, ensure};

/// Longer names make lines that nobody reads.
const MAX: usize = 40;

/// A name of an app, a model, a job or a field, as lower-case words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Name(String);

impl Name {
    /// Takes `support_ticket`, `support-ticket` and `SupportTicket` for the same.
    pub(super) fn parse(raw: &str) -> Result<Self> {
        let snake = snake_case(raw);
        let mut letters = snake.chars();
        ensure!(
            letters.next().is_some_and(|first| first.is_ascii_lowercase())
                && letters.all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '_')
                && !snake.ends_with('_')
                && !snake.contains("__"),
            "{raw:?} can't be a name: use letters, digits and underscores, starting with a letter, \
             such as support_ticket"
        );
        ensure!(
            snake.len() <= MAX,
            "{raw:?} is too long for a name: use at most {MAX} characters"
        );
        ensure!(!is_keyword(&snake), "{raw:?} can't be a name: it's a keyword of Rust");
        Ok(Self(snake))
    }

    /// `support_ticket`
    pub(super) fn snake(&self) -> &str {
        &self.0
    }

    /// `SupportTicket`
    pub(super) fn pascal(&self) -> String {
        self.0.split('_').map(capitalized).collect()
    }

    /// `SUPPORT_TICKET`
    pub(super) fn upper(&self) -> String {
        self.0.to_uppercase()
    }

    /// `support ticket`
    pub(super) fn words(&self) -> String {
        self.0.replace('_', " ")
    }

    /// `Support ticket`
    pub(super) fn sentence(&self) -> String {
        capitalized(&self.words())
    }

    /// `a support ticket`, `an article`
    pub(super) fn with_article(&self) -> String {
        let article = if self.0.starts_with(['a', 'e', 'i', 'o', 'u']) {
            "an"
        } else {
            "a"
        };
        format!("{article} {}", self.words())
    }

    /// The plural by the simple rules of English.
    pub(super) fn plural(&self) -> Self {
        Self(plural(&self.0))
    }
}

/// The name of a product as people read it: `My Shop` of `my-shop`.
pub(super) fn title(name: &str) -> String {
    name.split(['-', '_']).map(capitalized).collect::<Vec<_>>().join(" ")
}

/// With a capital first letter.
pub(super) fn capitalized(word: &str) -> String {
    let mut letters = word.chars();
    letters
        .next()
        .map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// `SupportTicket` and `support-ticket` as `support_ticket`.
fn snake_case(raw: &str) -> String {
    let mut snake = String::new();
    for letter in raw.chars() {
        if letter.is_ascii_uppercase() && !snake.is_empty() && !snake.ends_with('_') {
            snake.push('_');
        }
        snake.push(if letter == '-' {
            '_'
        } else {
            letter.to_ascii_lowercase()
        });
    }
    snake
}

fn plural(word: &str) -> String {
    let irregular = [("person", "people"), ("child", "children")];
    for (singular, plural) in irregular {
        if let Some(start) = word
            .strip_suffix(singular)
            .filter(|start| start.is_empty() || start.ends_with('_'))
        {
            return format!("{start}{plural}");
        }
    }
    let is_vowel = |letter: char| "aeiou".contains(letter);
    match word.strip_suffix('y') {
        Some(start) if !start.ends_with(is_vowel) => format!("{start}ies"),
        _ if ["s", "x", "z", "ch", "sh"].iter().any(|end| word.ends_with(end)) => format!("{word}es"),
        _ => format!("{word}s"),
    }
}

/// Words that can't be a plain name in Rust.
pub(super) fn is_keyword(word: &str) -> bool {
    const KEYWORDS: &str = "abstract as async await become box break const continue crate do dyn else enum extern false \
                            final fn for gen if impl in let loop macro match mod move mut override priv pub ref return \
                            self static struct super trait true try type typeof unsafe unsized use virtual where while \
                            yield";
    KEYWORDS.split_whitespace().any(|keyword| keyword == word)
}

/// Words that can't be the plain name of a table and of a column on both databases: those that SQLite or PostgreSQL
/// reserve, and PostgreSQL's own columns.
pub(super) fn is_sql_keyword(word: &str) -> bool {
    const KEYWORDS: &str = "add all alter analyse analyze and any array as asc asymmetric authorization autoincrement \
                            between binary both case cast check cmax cmin collate collation column commit concurrently \
                            constraint create cross ctid current_catalog current_date current_role current_schema \
                            current_time current_timestamp current_user default deferrable delete desc distinct do \
                            drop else end escape except exists false fetch for foreign freeze from full grant group \
                            having if ilike in index initially inner insert intersect into is isnull join lateral \
                            leading left like limit localtime localtimestamp natural not nothing notnull null offset \
                            oid on only or order outer overlaps placing primary raise references returning right rowid \
                            select session_user set similar some symmetric system_user table tableoid tablesample then \
                            to trailing transaction true union unique update user using values variadic verbose when \
                            where window with xmax xmin";
    KEYWORDS.split_whitespace().any(|keyword| keyword == word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_every_form() {
        for raw in ["support_ticket", "support-ticket", "SupportTicket"] {
            let name = Name::parse(raw).unwrap();
            assert_eq!(
                (name.snake(), name.pascal().as_str()),
                ("support_ticket", "SupportTicket")
            );
            assert_eq!(name.sentence(), "Support ticket");
            assert_eq!(name.plural().snake(), "support_tickets");
        }
        for refused in ["", "1st", "a b", "_a", "a__b", "type", "Ticket!", "größe"] {
            assert!(Name::parse(refused).is_err(), "{refused}");
        }
    }

    #[test]
    fn plurals_follow_english() {
        for (singular, expected) in [
            ("ticket", "tickets"),
            ("category", "categories"),
            ("day", "days"),
            ("parcel", "parcels"),
            ("tax", "taxes"),
            ("batch", "batches"),
            ("status", "statuses"),
            ("contact_person", "contact_people"),
        ] {
            assert_eq!(plural(singular), expected);
        }
    }
}
