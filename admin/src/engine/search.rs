//! The search box: words are ANDed, columns ORed; "quoted words" stay together, and `column:word` asks one
//! column alone.

use sea_orm::sea_query::{Condition, Expr, ExprTrait, Func, LikeExpr};

use super::{
    field::{Kind, SearchBy, Spec},
    model::Model,
};

/// More words than this only cost.
const MAX_TERMS: usize = 8;

/// Letters that an index of trigrams needs.
const TRIGRAM: usize = 3;

/// One word or quoted phrase, perhaps for one column.
#[derive(Debug, PartialEq, Eq)]
struct Term {
    column: Option<String>,
    word: String,
}

/// Rows that hold every term.
pub(crate) fn condition(model: &Model, search: &str) -> Condition {
    terms(search)
        .into_iter()
        .take(MAX_TERMS)
        .fold(Condition::all(), |all, term| all.add(matches(model, &term)))
}

/// Whether the model can be searched at all.
pub(crate) fn is_offered(model: &Model) -> bool {
    model.fields.iter().any(|spec| spec.search.is_some())
}

fn matches(model: &Model, term: &Term) -> Condition {
    let named = term
        .column
        .as_deref()
        .and_then(|name| model.field(name))
        .filter(|spec| is_searchable(spec));
    if let Some(spec) = named {
        return by_column(spec, &term.word).unwrap_or_else(nothing);
    }
    // A colon that names no column is part of the word.
    let word = term
        .column
        .iter()
        .map(|column| format!("{column}:"))
        .chain([term.word.clone()])
        .collect::<String>();
    let columns = model.fields.iter().filter(|spec| spec.search.is_some());
    let tests: Vec<_> = columns.filter_map(|spec| by_column(spec, &word)).collect();
    if tests.is_empty() {
        nothing()
    } else {
        tests.into_iter().fold(Condition::any(), Condition::add)
    }
}

fn is_searchable(spec: &Spec) -> bool {
    spec.search.is_some()
        || (spec.filter && matches!(spec.kind, Kind::Choice(_) | Kind::Text { .. } | Kind::ForeignKey(_)))
}

/// The rows whose column matches the word; none when the word can never match it.
fn by_column(spec: &Spec, word: &str) -> Option<Condition> {
    let column = Expr::col(spec.name);
    let test = match &spec.search {
        Some(SearchBy::Prefix { key_column, key }) => {
            let from = key(word);
            let starts = Expr::col(*key_column).gte(from.clone());
            let Some(end) = after_prefix(&from) else {
                return Some(Condition::any().add(starts));
            };
            return Some(Condition::any().add(starts.and(Expr::col(*key_column).lt(end))));
        }
        Some(SearchBy::Words) => return Some(holds(spec.name, &word.to_lowercase())),
        Some(SearchBy::Exact) | None => column.eq(spec.storage.parse(word)?),
    };
    Some(Condition::any().add(test))
}

/// A word anywhere in the text. One too short for a trigram index is looked for where a word of the text
/// starts, which such an index does find.
fn holds(column: &'static str, word: &str) -> Condition {
    let like = |pattern: String| Expr::expr(Func::lower(Expr::col(column))).like(LikeExpr::new(pattern).escape('\\'));
    let (short, word) = (word.chars().count() < TRIGRAM, escaped(word));
    if short {
        return Condition::any()
            .add(like(format!("{word}%")))
            .add(like(format!("% {word}%")));
    }
    Condition::any().add(like(format!("%{word}%")))
}

fn nothing() -> Condition {
    Condition::any().add(Expr::val(1).eq(0))
}

/// The smallest text that sorts, byte by byte, after everything that starts with the prefix.
fn after_prefix(prefix: &str) -> Option<String> {
    let mut chars: Vec<char> = prefix.chars().collect();
    while let Some(last) = chars.pop() {
        // U+D800 to U+DFFF are no characters.
        let next = if last == '\u{d7ff}' {
            Some('\u{e000}')
        } else {
            char::from_u32(u32::from(last) + 1)
        };
        if let Some(next) = next {
            chars.push(next);
            return Some(chars.into_iter().collect());
        }
    }
    None
}

/// The word as LIKE takes it literally, with a backslash as escape.
fn escaped(word: &str) -> String {
    word.chars()
        .flat_map(|c| matches!(c, '%' | '_' | '\\').then_some('\\').into_iter().chain([c]))
        .collect()
}

fn terms(search: &str) -> Vec<Term> {
    let mut terms = vec![];
    let mut rest = search.trim_start();
    while !rest.is_empty() {
        let column = rest
            .split_once(':')
            .filter(|(name, _)| !name.is_empty() && name.chars().all(|c| c.is_ascii_lowercase() || c == '_'));
        let (name, after) = column.map_or((None, rest), |(name, after)| (Some(name.to_owned()), after));
        let (word, after) = match after.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').unwrap_or((quoted, "")),
            None => after.split_at(after.find(char::is_whitespace).unwrap_or(after.len())),
        };
        if !word.is_empty() || name.is_some() {
            terms.push(Term {
                column: name,
                word: word.to_owned(),
            });
        }
        rest = after.trim_start();
    }
    terms
}

#[cfg(test)]
mod tests {
    use super::*;

    fn term(column: Option<&str>, word: &str) -> Term {
        Term {
            column: column.map(str::to_owned),
            word: word.to_owned(),
        }
    }

    #[test]
    fn words_phrases_and_columns_are_told_apart() {
        assert_eq!(terms("  ada  love "), [term(None, "ada"), term(None, "love")]);
        assert_eq!(terms("\"ada love\" x"), [term(None, "ada love"), term(None, "x")]);
        assert_eq!(
            terms("email:ada@x.org id:7"),
            [term(Some("email"), "ada@x.org"), term(Some("id"), "7")]
        );
        assert_eq!(terms("name:\"ada l\""), [term(Some("name"), "ada l")]);
        assert_eq!(terms("\"never closed"), [term(None, "never closed")]);
        assert_eq!(terms("\"\""), []);
        assert_eq!(terms("12:30"), [term(None, "12:30")]);
    }

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
}
