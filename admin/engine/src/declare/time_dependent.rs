//! Columns whose value changes with time, such as a lock that ends. Nothing writes the row at that moment, so the time
//! is taken into account wherever the value is shown, filtered or counted.

use chrono::{DateTime, Utc};
use sea_orm::{Value, sea_query::Condition};

use crate::rows::row::Row;

/// How a column's value depends on time.
#[derive(Clone, Copy, Debug)]
pub struct TimeDependent {
    /// The other columns that the value depends on.
    pub with: &'static [&'static str],
    /// The value of a stored row at a time; `None` for NULL.
    pub value: fn(&Row, DateTime<Utc>) -> Option<Value>,
    /// The rows that have this value at a time; with `None`, the rows without a value.
    pub rows: fn(Option<&str>, DateTime<Utc>) -> Condition,
}
