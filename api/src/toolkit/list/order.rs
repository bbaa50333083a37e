//! What can be listed, filtered and sorted.

use sea_orm::{DbErr, EntityTrait, IdenStatic, QueryResult, Value, sea_query::Condition};
use serde_json::json;
use usher_shared::foundation::rules::{Violation, ViolationKind};
use utoipa::openapi::path::Parameter;

use crate::toolkit::query::Parameters;

/// What a list tells of a row, and how it is read, sorted and filtered. [`derive@crate::Listed`] writes it from the
/// fields of a struct.
pub trait Listed: Send + Sized {
    /// The table.
    type Entity: EntityTrait;
    /// What clients can sort by, each with the column whose index, continued by the id, holds the order. Rows without a
    /// value in a column that may be NULL come last, or first the other way round.
    const SORTS: &'static [(&'static str, Col<Self>)];
    /// The column that decides where all others have the same values.
    const ID: Col<Self>;
    /// The order unless the client asks for another.
    const DEFAULT_SORT: &'static str = "-id";
    /// Those of them that many rows can share. Behind one nothing is sorted: all of these would have to be read.
    const SHARED: &'static [&'static str] = &[];

    /// The columns that it takes.
    const COLUMNS: &'static [Col<Self>];

    /// The rows that are there for clients; all of them unless it says otherwise.
    #[must_use]
    fn visible() -> Condition {
        Condition::all()
    }

    /// Reads a row by the positions in `COLUMNS`: names cost ten times as much, and a page has hundreds of values.
    fn read(row: &QueryResult) -> Result<Self, DbErr>;

    /// The row's value in the id or in a column to sort by.
    fn value(&self, column: Col<Self>) -> Value;

    /// Reads the filters that the list takes by itself, what finds fewest rows first; none unless it says otherwise.
    #[must_use]
    fn filters(_parameters: &mut Parameters) -> Vec<Filter<Self::Entity>> {
        vec![]
    }

    /// The parameters of those filters, for the documents.
    #[must_use]
    fn filter_parameters() -> Vec<Parameter> {
        vec![]
    }
}

/// A column of the table that is listed.
pub type Col<L> = <<L as Listed>::Entity as EntityTrait>::Column;

/// One filter of a list. Those that an index answers come first.
#[derive(Clone)]
pub struct Filter<E: EntityTrait> {
    pub(super) condition: Condition,
    /// The column of which it is a range: walking in that column's order, only the range is walked.
    pub(super) range_of: Option<E::Column>,
    /// Whether an index finds its rows without looking at others.
    pub(super) indexed: bool,
}

impl<E: EntityTrait> Filter<E> {
    /// A filter that rows are held against one by one.
    #[must_use]
    pub fn plain(condition: Condition) -> Self {
        Self {
            condition,
            range_of: None,
            indexed: false,
        }
    }

    /// A filter with an index of its own.
    #[must_use]
    pub fn indexed(condition: Condition) -> Self {
        Self {
            indexed: true,
            ..Self::plain(condition)
        }
    }

    /// A range of values of one of the columns to sort by.
    #[must_use]
    pub fn range(column: E::Column, condition: Condition) -> Self {
        Self {
            range_of: Some(column),
            ..Self::indexed(condition)
        }
    }
}

/// An order of a list: columns, and the id where those have the same values.
pub struct Order<L: Listed> {
    /// As the address says it, such as `-created_at`.
    pub(super) word: String,
    /// One and more, the id last.
    pub(super) keys: Vec<Key<L>>,
}

/// A column of an order, and which way it goes.
pub struct Key<L: Listed> {
    pub(super) column: Col<L>,
    pub(super) descending: bool,
}

impl<L: Listed> Order<L> {
    pub(super) fn parse(word: &str) -> Result<Self, Violation> {
        let mut keys: Vec<Key<L>> = vec![];
        for part in word.split(',') {
            let name = part.strip_prefix('-').unwrap_or(part);
            let known = L::SORTS.iter().find(|(known, _)| *known == name);
            let (_, column) = known.ok_or_else(Self::unknown)?;
            if let Some(before) = keys.last().filter(|key| L::SHARED.contains(&key.column.as_str())) {
                let before = before.column.as_str();
                let message = format!("Many can have the same {before}: sort by it last, as in sort={name},{before}");
                return Err(Violation::new(ViolationKind::Enum, message).with(json!({ "expected": before })));
            }
            // What stands behind a column that was named before, or behind the id, decides nothing.
            let is_decided = |key: &Key<L>| [column.as_str(), L::ID.as_str()].contains(&key.column.as_str());
            if !keys.iter().any(is_decided) {
                keys.push(Key {
                    column: *column,
                    descending: name != part,
                });
            }
        }
        let last = keys.last().map(|key| (key.column.as_str(), key.descending));
        if let Some((_, descending)) = last.filter(|(column, _)| *column != L::ID.as_str()) {
            keys.push(Key {
                column: L::ID,
                descending,
            });
        }
        Ok(Self {
            word: word.to_owned(),
            keys,
        })
    }

    fn unknown() -> Violation {
        let names: Vec<&str> = L::SORTS.iter().map(|(name, _)| *name).collect();
        let names = names.join(", ");
        let message =
            format!("Sort by {names}, or by several of them, separated by commas; a leading - reverses the order");
        Violation::new(ViolationKind::Enum, message).with(json!({ "expected": names }))
    }

    /// What the list is sorted by first.
    pub(super) fn first(&self) -> Col<L> {
        self.keys.first().map_or(L::ID, |key| key.column)
    }
}
