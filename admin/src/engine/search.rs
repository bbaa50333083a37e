//! The search box: words are ANDed, columns ORed; "quoted words" stay together, and `column:word` asks one
//! column alone.

use sea_orm::sea_query::{Condition, Expr, ExprTrait};
use usher_shared::search::{holds, starts_with};

use super::{
    field::{Kind, SearchBy, Spec},
    model::Model,
    period::Period,
};

/// More words than this only cost.
const MAX_TERMS: usize = 8;

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
    // `created:>2026-01-01`, for a time that the list can be filtered by.
    let time = term.column.as_deref().and_then(|name| {
        let spec = model.field(name).or_else(|| model.field(&format!("{name}_at")))?;
        (spec.filter && matches!(spec.kind, Kind::Time)).then_some(spec)
    });
    if let Some(spec) = time {
        return by_time(spec, &term.word).unwrap_or_else(nothing);
    }
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
    Some(match &spec.search {
        Some(SearchBy::Prefix { key_column, key }) => starts_with(*key_column, &key(word)),
        Some(SearchBy::Words) => holds(spec.name, word),
        Some(SearchBy::Exact) | None => Condition::any().add(Expr::col(spec.name).eq(spec.storage.parse(word)?)),
    })
}

/// `2026-11`, `>2026-11-01`, `<2026-11-01`; "after a day" begins with the next one.
fn by_time(spec: &Spec, word: &str) -> Option<Condition> {
    let column = Expr::col(spec.name);
    let (from, to) = Period::parse(word.trim_start_matches(['>', '<', '=']))?.range();
    Some(Condition::all().add(match word.get(..word.len().min(2))? {
        ">=" => column.gte(from),
        "<=" => column.lt(to),
        sign if sign.starts_with('>') => column.gte(to),
        sign if sign.starts_with('<') => column.lt(from),
        _ => column.clone().gte(from).and(column.lt(to)),
    }))
}

fn nothing() -> Condition {
    Condition::any().add(Expr::val(1).eq(0))
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
}
