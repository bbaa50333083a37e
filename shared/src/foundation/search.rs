//! Indexed conditions on text: a word anywhere in it, and its beginning.

mod fold;

use sea_orm::{
    Condition, DbBackend,
    sea_query::{Alias, Expr, ExprTrait, Func, IntoColumnRef, LikeExpr, SimpleExpr},
};

pub use fold::folded;

use crate::foundation::rules::Email;

/// The letters that a trigram index needs.
const TRIGRAM: usize = 3;

/// Separates name and address in a stored text.
const ADDRESS: char = '\u{1}';
/// Precedes the address with its domain in Unicode and its accents, if that differs from the stored one.
const UNICODE_ADDRESS: char = '\u{2}';

/// The stored text that a user is found by: the name, then the address.
#[must_use]
pub fn text_of(name: &str, email: &str) -> String {
    let shown = Email::shown(email);
    let mut text = format!(" {}{ADDRESS} {}", folded(name), folded(&shown));
    if shown.rsplit_once('@').is_some_and(|(_, domain)| !domain.is_ascii()) {
        text.push(UNICODE_ADDRESS);
        text.push_str(&Email::shown_key(&shown));
    }
    text
}

/// A column with [`folded`] text after a space, and the index that finds parts of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Folded {
    pub table: &'static str,
    pub column: &'static str,
    /// The SQLite full-text table of that column. It may not have the newest rows yet.
    pub words: &'static str,
}

/// The search of users.
pub const USERS: Folded = Folded {
    table: "users",
    column: "search_text",
    words: "users_search",
};

/// The part of a stored text to search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    All,
    Name,
    Address,
}

impl Folded {
    /// The word anywhere in the text, regardless of letter case and accents. A word of two letters, or of one Chinese,
    /// Japanese or Korean character, is only found at the start of a word, so that an index can be used. `unfolded` are
    /// the columns to search while the text is missing.
    #[must_use]
    pub fn holds(&self, backend: DbBackend, part: Part, word: &str, unfolded: &[&'static str]) -> Condition {
        let needle = needle(word);
        if needle.is_empty() {
            return Condition::all();
        }
        let pattern = escaped(&needle);
        let pattern = match part {
            Part::All => format!("%{pattern}%"),
            Part::Name => format!("%{pattern}%{ADDRESS}%"),
            Part::Address => format!("%{ADDRESS}%{pattern}%"),
        };
        let plain = escaped(&word.to_lowercase());
        let plain = match needle.starts_with(' ') {
            true => vec![format!("{plain}%"), format!("% {plain}%")],
            false => vec![format!("%{plain}%")],
        };
        let in_plain = unfolded.iter().flat_map(|column| {
            let text = Func::lower(Expr::col((Alias::new(self.table), Alias::new(*column))));
            let like =
                move |pattern: &String| Expr::expr(text.clone()).like(LikeExpr::new(pattern.clone()).escape('\\'));
            plain.iter().map(like).collect::<Vec<_>>()
        });
        let in_plain = in_plain.fold(Condition::any(), Condition::add);
        let not_yet = Condition::all().add(self.text().is_null()).add(in_plain);
        self.found(backend, &needle, pattern).add(not_yet)
    }

    /// The address in Unicode starts with the prefix, if it differs from the stored one: accents matter, letter case
    /// doesn't.
    #[must_use]
    pub fn address_starts_with(&self, backend: DbBackend, prefix: &str) -> Condition {
        let needle = format!("{UNICODE_ADDRESS}{}", Email::shown_key(prefix));
        let pattern = format!("%{}%", escaped(&needle));
        self.found(backend, &needle, pattern)
    }

    fn text(&self) -> SimpleExpr {
        Expr::col((Alias::new(self.table), Alias::new(self.column)))
    }

    /// Alternatives that each use one index, because SQLite uses only one.
    fn found(&self, backend: DbBackend, needle: &str, pattern: String) -> Condition {
        let like = self.text().like(LikeExpr::new(pattern).escape('\\'));
        if backend != DbBackend::Sqlite || needle.chars().count() < TRIGRAM {
            return Condition::any().add(like);
        }
        let Self { table, words, .. } = self;
        let quoted = format!("\"{}\"", needle.replace('"', "\"\""));
        let indexed = format!("\"{table}\".\"id\" IN (SELECT rowid FROM {words} WHERE {words} MATCH ?)");
        let not_yet = format!("\"{table}\".\"id\" > (SELECT coalesce(max(id), 0) FROM {words}_docsize)");
        let indexed = Condition::all().add(Expr::cust_with_values(indexed, [quoted]));
        let not_yet = Condition::all().add(Expr::cust(not_yet));
        Condition::any().add(indexed.add(like.clone())).add(not_yet.add(like))
    }
}

/// The search term: the folded word, after a space if it is too short to be found inside another.
fn needle(word: &str) -> String {
    let word = match word.to_ascii_lowercase().contains("xn--") {
        true => Email::shown(word),
        false => word.into(),
    };
    let folded = folded(&word);
    match folded.chars().count() {
        1 | 2 => format!(" {folded}"),
        _ => folded,
    }
}

/// Whether the text contains the word by the rule of [`Folded::holds`], for rows already loaded.
#[must_use]
pub fn is_in(text: &str, word: &str) -> bool {
    format!(" {}", folded(text)).contains(&needle(word))
}

/// The text starts with the prefix, byte by byte. For columns with bytewise collation.
#[must_use]
pub fn starts_with(column: impl IntoColumnRef, prefix: &str) -> Condition {
    let column = Expr::col(column);
    let from = Condition::all().add(column.clone().gte(prefix));
    match after_prefix(prefix) {
        Some(end) => from.add(column.lt(end)),
        None => from,
    }
}

fn escaped(word: &str) -> String {
    let mut text = String::with_capacity(word.len());
    for c in word.chars() {
        if matches!(c, '%' | '_' | '\\') {
            text.push('\\');
        }
        text.push(c);
    }
    text
}

/// The first text after all that start with the prefix; none if there is none.
fn after_prefix(prefix: &str) -> Option<String> {
    let mut text = prefix.to_owned();
    while let Some(last) = text.pop() {
        let next = (u32::from(last) + 1..=u32::from(char::MAX)).find_map(char::from_u32);
        if let Some(next) = next {
            text.push(next);
            return Some(text);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_prefix_is_the_next_text() {
        assert_eq!(after_prefix("ada").as_deref(), Some("adb"));
        assert_eq!(after_prefix("a\u{10ffff}").as_deref(), Some("b"));
        assert_eq!(after_prefix("\u{d7ff}").as_deref(), Some("\u{e000}"));
        assert_eq!(after_prefix("\u{10ffff}"), None);
        assert_eq!(after_prefix(""), None);
    }

    #[test]
    fn what_like_understands_is_escaped() {
        assert_eq!(escaped(r"100%_\"), r"100\%\_\\");
    }

    #[test]
    fn short_words_are_looked_for_where_a_word_starts() {
        assert_eq!(needle("Bo"), " bo");
        assert_eq!(needle("ß"), " ss");
        assert_eq!(needle("太"), " 太太");
        assert_eq!(needle("太郎"), "太太郎郎");
        assert_eq!(needle("Ada"), "ada");
        assert_eq!(needle("xn--bcher-kva.de"), "bucher.de");
        assert!(is_in("Support Élodie", "elod") && is_in("Support", "su") && !is_in("Support", "pp"));
    }

    #[test]
    fn a_stored_text_holds_name_and_address() {
        assert_eq!(text_of("Ada King", "Ada@example.org"), " ada king\u{1} ada@example.org");
        for email in ["Ada@bücher.de", "Ada@xn--bcher-kva.de"] {
            assert_eq!(text_of("Ada", email), " ada\u{1} ada@bucher.de\u{2}ada@bücher.de");
        }
    }
}
