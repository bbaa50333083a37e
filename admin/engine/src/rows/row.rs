//! One row of a model's table.

use std::{collections::HashMap, str::FromStr};

use chrono::{DateTime, Utc};
use sea_orm::Value;

use super::storage::text_of;

/// A row, by column name. Secret columns are not in it.
#[derive(Clone, Debug, Default)]
pub struct Row(pub(super) HashMap<&'static str, Value>);

impl Row {
    /// The same row with one more fact.
    pub(crate) fn and(mut self, name: &'static str, fact: bool) -> Self {
        self.0.insert(name, fact.into());
        self
    }

    /// The same row with the names of related objects.
    pub(crate) fn relate(&mut self, relation: &'static str, names: Vec<String>) {
        let names = (!names.is_empty()).then(|| Box::new(names.into()));
        self.0.insert(relation, Value::Json(names));
    }

    /// The column's value; `None` when it is NULL or not read.
    pub fn get(&self, column: &str) -> Option<&Value> {
        self.0.get(column).filter(|value| !is_null(value))
    }

    /// The column's value as text.
    pub fn text(&self, column: &str) -> Option<String> {
        self.get(column).and_then(text_of)
    }

    /// The column's value read from its text, such as an id.
    pub fn parse<T: FromStr>(&self, column: &str) -> Option<T> {
        self.text(column)?.parse().ok()
    }

    pub fn time(&self, column: &str) -> Option<DateTime<Utc>> {
        match self.get(column) {
            Some(Value::ChronoDateTimeUtc(at)) => *at,
            _ => None,
        }
    }

    pub fn is_true(&self, column: &str) -> bool {
        matches!(self.get(column), Some(Value::Bool(Some(true))))
    }
}

pub(crate) fn is_null(value: &Value) -> bool {
    match value {
        Value::Json(json) => json.is_none(),
        Value::Bytes(bytes) => bytes.is_none(),
        value => text_of(value).is_none(),
    }
}
