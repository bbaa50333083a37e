//! Columns whose value ends by the clock. Nobody writes the row at that moment, so wherever it is shown, filtered or
//! counted, the time has a say in it: a lock that has ended is none.

use chrono::{DateTime, Utc};
use sea_orm::{Value, sea_query::Condition};

use crate::rows::row::Row;

/// What time makes of a column.
#[derive(Clone, Copy, Debug)]
pub struct ByClock {
    /// The columns that decide it, besides its own.
    pub with: &'static [&'static str],
    /// The value at a time of a row as it is stored; none for NULL.
    pub value: fn(&Row, DateTime<Utc>) -> Option<Value>,
    /// The rows that have this word as their value at a time; for none, those that have no value.
    pub rows: fn(Option<&str>, DateTime<Utc>) -> Condition,
}
