//! What can be listed, filtered and sorted.

use sea_orm::{DbErr, EntityTrait, IdenStatic, QueryResult, Value, sea_query::Condition};
use serde_json::json;
use usher_shared::foundation::rules::{Violation, ViolationKind};

/// A table that can be listed.
pub(crate) trait Listed: EntityTrait {
    /// The path of the list.
    const PATH: &'static str;
    /// What clients can sort by, each with the column whose index, continued by the id, holds the order. Rows without a
    /// value in a column that may be NULL come last, or first the other way round.
    const SORTS: &'static [(&'static str, Self::Column)];
    const ID: Self::Column;
    /// The order unless the client asks for another.
    const DEFAULT_SORT: &'static str = "-id";
    /// Those of them that many rows can share. Behind one nothing is sorted: all of these would have to be read.
    const SHARED: &'static [&'static str] = &[];

    /// What the list tells of a row.
    type Row: Send;
    /// The columns that it takes.
    const COLUMNS: &'static [Self::Column];

    /// The rows that are there for clients.
    fn visible() -> Condition;

    /// Reads a row by the positions in `COLUMNS`: names cost ten times as much, and a page has hundreds of values.
    fn read(row: &QueryResult) -> Result<Self::Row, DbErr>;

    /// The row's value in the id or in a column to sort by.
    fn value(row: &Self::Row, column: Self::Column) -> Value;
}

/// One filter of a list.
pub(crate) struct Filter<E: EntityTrait> {
    pub(super) condition: Condition,
    /// The column of which it is a range: walking in that column's order, only the range is walked.
    pub(super) range_of: Option<E::Column>,
    /// Whether an index finds its rows without looking at others.
    pub(super) indexed: bool,
}

impl<E: EntityTrait> Filter<E> {
    /// A filter that rows are held against one by one.
    pub(crate) fn plain(condition: Condition) -> Self {
        Self {
            condition,
            range_of: None,
            indexed: false,
        }
    }

    /// A filter with an index of its own.
    pub(crate) fn indexed(condition: Condition) -> Self {
        Self {
            indexed: true,
            ..Self::plain(condition)
        }
    }

    /// A range of values of one of the columns to sort by.
    pub(crate) fn range(column: E::Column, condition: Condition) -> Self {
        Self {
            range_of: Some(column),
            ..Self::indexed(condition)
        }
    }
}

/// An order of a list: columns, and the id where those have the same values.
pub(crate) struct Order<E: EntityTrait> {
    /// As the address says it, such as `-created_at`.
    pub(super) word: String,
    /// One and more, the id last.
    pub(super) keys: Vec<Key<E>>,
}

/// A column of an order, and which way it goes.
pub(crate) struct Key<E: EntityTrait> {
    pub(super) column: E::Column,
    pub(super) descending: bool,
}

impl<E: Listed> Order<E> {
    pub(super) fn parse(word: &str) -> Result<Self, Violation> {
        let mut keys: Vec<Key<E>> = vec![];
        for part in word.split(',') {
            let name = part.strip_prefix('-').unwrap_or(part);
            let known = E::SORTS.iter().find(|(known, _)| *known == name);
            let (_, column) = known.ok_or_else(Self::unknown)?;
            if let Some(before) = keys.last().filter(|key| E::SHARED.contains(&key.column.as_str())) {
                let before = before.column.as_str();
                let message = format!("Many can have the same {before}: sort by it last, as in sort={name},{before}");
                return Err(Violation::new(ViolationKind::Enum, message).with(json!({ "expected": before })));
            }
            // What stands behind a column that was named before, or behind the id, decides nothing.
            let is_decided = |key: &Key<E>| [column.as_str(), E::ID.as_str()].contains(&key.column.as_str());
            if !keys.iter().any(is_decided) {
                keys.push(Key {
                    column: *column,
                    descending: name != part,
                });
            }
        }
        let last = keys.last().map(|key| (key.column.as_str(), key.descending));
        if let Some((_, descending)) = last.filter(|(column, _)| *column != E::ID.as_str()) {
            keys.push(Key {
                column: E::ID,
                descending,
            });
        }
        Ok(Self {
            word: word.to_owned(),
            keys,
        })
    }

    fn unknown() -> Violation {
        let names: Vec<&str> = E::SORTS.iter().map(|(name, _)| *name).collect();
        let names = names.join(", ");
        let message =
            format!("Sort by {names}, or by several of them, separated by commas; a leading - reverses the order");
        Violation::new(ViolationKind::Enum, message).with(json!({ "expected": names }))
    }

    /// What the list is sorted by first.
    pub(super) fn first(&self) -> E::Column {
        self.keys.first().map_or(E::ID, |key| key.column)
    }
}
