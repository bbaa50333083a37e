//! The search box: words are ANDed, columns ORed; "quoted words" stay together, and `column:word` asks one
//! column alone.

use std::collections::HashMap;

use sea_orm::{
    ConnectionTrait, DbBackend, DbErr, Value,
    sea_query::{Condition, Expr, ExprTrait},
};
use usher_shared::foundation::{
    search::{Folded, Part, is_in, starts_with},
    time::now,
};

use crate::declare::model::Model;
use crate::declare::spec::{Kind, SearchBy, Spec};
use crate::lists::period::Period;

/// More words are ignored.
const MAX_TERMS: usize = 8;

/// One word or quoted phrase, perhaps for one column.
#[derive(Debug, PartialEq, Eq)]
struct Term {
    column: Option<String>,
    word: String,
}

/// Row limit for models with few rows.
const MOST_OF_FEW: u64 = 10_000;

/// Rows that match every term. For models with few rows it takes one statement to read their words: no database folds
/// letters as [`usher_shared::foundation::search::folded`] does, so that is done here.
pub(crate) async fn condition(db: &impl ConnectionTrait, model: &Model, search: &str) -> Result<Condition, DbErr> {
    let terms = terms(search);
    let mut few = Few::default();
    let is_by_words = |spec: &&Spec| matches!(spec.search, Some(SearchBy::Words));
    if !terms.is_empty() && model.fields.iter().any(|spec| is_by_words(&spec)) {
        for row in model.read(db, model.select().limit(MOST_OF_FEW)).await? {
            let Some(id) = row.get(model.id) else { continue };
            for spec in model.fields.iter().filter(is_by_words) {
                let text = row.text(spec.name).unwrap_or_default();
                few.0.entry(spec.name).or_default().push((id.clone(), text));
            }
        }
    }
    Ok(of_terms(db.get_database_backend(), model, terms, &few))
}

/// The texts of each word-searched column, with the ids of their rows.
#[derive(Default)]
struct Few(HashMap<&'static str, Vec<(Value, String)>>);

/// [`condition`] of an address alone.
pub(crate) fn condition_without_rows(backend: DbBackend, model: &Model, search: &str) -> Condition {
    of_terms(backend, model, terms(search), &Few::default())
}

fn of_terms(backend: DbBackend, model: &Model, terms: Vec<Term>, few: &Few) -> Condition {
    let search = Search { backend, model, few };
    let terms = terms.into_iter().take(MAX_TERMS);
    terms.fold(Condition::all(), |all, term| all.add(search.matches(&term)))
}

/// Whether the model can be searched at all.
pub(crate) fn is_offered(model: &Model) -> bool {
    model.fields.iter().any(|spec| spec.search.is_some())
}

struct Search<'a> {
    backend: DbBackend,
    model: &'a Model,
    few: &'a Few,
}

impl Search<'_> {
    fn matches(&self, term: &Term) -> Condition {
        let model = self.model;
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
            return self.by_column(spec, &term.word).unwrap_or_else(nothing);
        }
        // A colon after something that is no column is part of the word.
        let word = term
            .column
            .iter()
            .map(|column| format!("{column}:"))
            .chain([term.word.clone()])
            .collect::<String>();
        let columns = model.fields.iter().filter(|spec| spec.search.is_some());
        let folded = |spec: &&Spec| matches!(spec.search, Some(SearchBy::Folded { .. }));
        let others = columns.clone().filter(|spec| !folded(spec));
        let tests = others.filter_map(|spec| self.by_column(spec, &word));
        let tests: Vec<_> = self.in_whole_texts(&word).into_iter().chain(tests).collect();
        if tests.is_empty() {
            nothing()
        } else {
            tests.into_iter().fold(Condition::any(), Condition::add)
        }
    }

    /// The word anywhere in the folded text, which may combine several columns.
    fn in_whole_texts(&self, word: &str) -> Vec<Condition> {
        let mut texts: Vec<(Folded, Vec<&'static str>)> = vec![];
        for spec in &self.model.fields {
            if let Some(SearchBy::Folded { at, .. }) = spec.search {
                match texts.iter_mut().find(|(known, _)| *known == at) {
                    Some((_, columns)) => columns.push(spec.name),
                    None => texts.push((at, vec![spec.name])),
                }
            }
        }
        let texts = texts.iter();
        texts
            .map(|(at, columns)| at.holds(self.backend, Part::All, word, columns))
            .collect()
    }

    /// The rows whose column matches the word; `None` if it never can.
    fn by_column(&self, spec: &Spec, word: &str) -> Option<Condition> {
        Some(match &spec.search {
            Some(SearchBy::Prefix { key_column, key }) => starts_with(*key_column, &key(word)),
            Some(SearchBy::Words) => {
                let texts = self.few.0.get(spec.name).map(Vec::as_slice).unwrap_or_default();
                let found = texts
                    .iter()
                    .filter(|(_, text)| is_in(text, word))
                    .map(|(id, _)| id.clone());
                Condition::any().add(Expr::col(self.model.id).is_in(found))
            }
            Some(SearchBy::Folded { at, part }) => at.holds(self.backend, *part, word, &[spec.name]),
            None if spec.time_dependent.is_some() => (spec.time_dependent?.rows)(Some(word), now()),
            Some(SearchBy::Exact) | None => Condition::any().add(spec.equals(&spec.storage.parse(word)?)),
        })
    }
}

fn is_searchable(spec: &Spec) -> bool {
    spec.search.is_some()
        || (spec.filter && matches!(spec.kind, Kind::Choice(_) | Kind::Text { .. } | Kind::ForeignKey(_)))
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

/// A condition without rows.
pub fn nothing() -> Condition {
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
