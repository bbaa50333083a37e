//! What was typed into a form, while it is validated: the values so far, and their errors.

use std::collections::BTreeMap;

use sea_orm::{IdenStatic, Value};
use usher_shared::foundation::rules::{FieldErrors, Violation, text};

use crate::declare::spec::{Kind, Spec};
use crate::request::sent::Fields;
use crate::rows::row::{Row, is_null};
use crate::rows::storage::text_of;

/// The editable values of one object.
#[derive(Debug, Default)]
pub struct Draft {
    typed: BTreeMap<&'static str, String>,
    values: BTreeMap<&'static str, Value>,
    errors: Vec<(&'static str, String)>,
}

impl Draft {
    /// Reads the editable fields. What was not changed in the form keeps the row's exact value, which a
    /// form may show with less precision.
    pub fn read(specs: &[Spec], posted: &Fields, before: Option<&Row>) -> Self {
        let mut draft = Self::default();
        let columns = specs.iter().filter(|spec| spec.is_read());
        for spec in columns.filter(|spec| spec.is_asked(before.is_none())) {
            let typed = typed(spec, posted);
            match before {
                Some(row) if typed == shown(spec, row) => {
                    let kept = row.get(spec.name).cloned();
                    draft
                        .values
                        .insert(spec.name, kept.unwrap_or_else(|| spec.storage.null()));
                }
                _ => match parse(spec, &typed) {
                    Ok(value) => drop(draft.values.insert(spec.name, value)),
                    Err(words) => draft.errors.push((spec.name, words)),
                },
            }
            draft.typed.insert(spec.name, typed);
        }
        draft
    }

    /// Refuses a text that the form marks as required and that was made empty, unless the model's own rules have.
    pub(crate) fn require_texts(&mut self, specs: &[Spec], before: Option<&Row>) {
        let required = specs
            .iter()
            .filter(|spec| !spec.optional && matches!(spec.kind, Kind::Text { .. }));
        for spec in required {
            let is_empty = self.typed.get(spec.name).is_some_and(|typed| typed.trim().is_empty());
            let was_empty = before.is_some_and(|row| shown(spec, row).is_empty());
            if is_empty && !was_empty {
                self.refuse_by_name(spec.name, "Enter a value");
            }
        }
    }

    /// The text in the field.
    pub fn typed(&self, column: impl IdenStatic) -> &str {
        self.typed.get(column.as_str()).map_or("", String::as_str)
    }

    pub fn typed_by_name(&self, column: &str) -> Option<&str> {
        self.typed.get(column).map(String::as_str)
    }

    pub fn get(&self, column: impl IdenStatic) -> Option<&Value> {
        self.values.get(column.as_str()).filter(|value| !is_null(value))
    }

    pub fn value(&self, column: &str) -> Option<&Value> {
        self.values.get(column).filter(|value| !is_null(value))
    }

    /// The values so far, by column.
    pub(super) fn all(&self) -> impl Iterator<Item = (&'static str, Value)> {
        self.values.iter().map(|(column, value)| (*column, value.clone()))
    }

    /// The value as text; `None` for NULL.
    pub fn text(&self, column: impl IdenStatic) -> Option<String> {
        self.get(column).and_then(text_of)
    }

    pub fn set(&mut self, column: impl IdenStatic, value: impl Into<Value>) {
        self.values.insert(column.as_str(), value.into());
    }

    /// Parses the typed text by a rule, or shows the rule's message beside the field.
    pub fn rule<T>(&mut self, column: impl IdenStatic, rule: impl FnOnce(&str) -> Result<T, Violation>) -> Option<T> {
        match rule(self.typed(column)) {
            Ok(parsed) => Some(parsed),
            Err(violation) => {
                self.refuse(column, violation.message);
                None
            }
        }
    }

    /// Adds an error to a field. The first one stays.
    pub fn refuse(&mut self, column: impl IdenStatic, words: impl Into<String>) {
        self.refuse_by_name(column.as_str(), words);
    }

    pub fn refuse_by_name(&mut self, column: &'static str, words: impl Into<String>) {
        if self.error(column).is_none() {
            self.errors.push((column, words.into()));
        }
    }

    /// Adds the errors that a rule of the product found, each to its field.
    pub fn refuse_all(&mut self, errors: FieldErrors) {
        for (field, violation) in errors.0 {
            self.refuse_by_name(field, violation.message);
        }
    }

    pub fn error(&self, column: &str) -> Option<&str> {
        self.errors
            .iter()
            .find(|(name, _)| *name == column)
            .map(|(_, words)| words.as_str())
    }

    pub fn errors(&self) -> &[(&'static str, String)] {
        &self.errors
    }

    /// The columns whose value differs from the row's, with the new value.
    pub fn changes(&self, before: &Row) -> Vec<(&'static str, Value)> {
        let differs = |(name, value): &(&&'static str, &Value)| match before.get(name) {
            Some(stored) => stored != *value,
            None => !is_null(value),
        };
        self.values
            .iter()
            .filter(differs)
            .map(|(name, value)| (*name, value.clone()))
            .collect()
    }
}

/// What the form shows for a stored value; [`parse`] reads it back.
pub(crate) fn shown(spec: &Spec, row: &Row) -> String {
    match row.get(spec.name) {
        Some(Value::ChronoDateTimeUtc(Some(at))) => at.format("%Y-%m-%dT%H:%M").to_string(),
        Some(value) => text_of(value).map(|text| spec.shown(text)).unwrap_or_default(),
        None if matches!(spec.kind, Kind::Bool) => "false".to_owned(),
        None => String::new(),
    }
}

fn typed(spec: &Spec, posted: &Fields) -> String {
    let raw = posted.get(spec.name).unwrap_or_default();
    match spec.kind {
        // An unchecked box is not sent at all.
        Kind::Bool => (!raw.is_empty() && raw != "false").to_string(),
        // A browser sends the line breaks of a textarea as CR LF.
        Kind::Text { long: true } => raw.replace("\r\n", "\n"),
        _ => raw.to_owned(),
    }
}

fn parse(spec: &Spec, typed: &str) -> Result<Value, String> {
    let trimmed = typed.trim();
    if trimmed.is_empty() && !matches!(spec.kind, Kind::Bool) {
        return if spec.nullable || matches!(spec.kind, Kind::Text { .. }) {
            Ok(if spec.nullable {
                spec.storage.null()
            } else {
                Value::from("")
            })
        } else {
            Err("Enter a value".to_owned())
        };
    }
    let value = spec.storage.parse(trimmed);
    match &spec.kind {
        Kind::Text { long } => {
            let visible = if *long { text::visible_lines } else { text::visible };
            visible(&spec.label, trimmed).map_err(|violation| violation.message)?;
            value.ok_or_else(|| "Remove the characters that can't be stored".to_owned())
        }
        Kind::Choice(_) if spec.choice(trimmed).is_none() => Err("Choose one of the options".to_owned()),
        Kind::Int => value.ok_or_else(|| "Enter a whole number".to_owned()),
        Kind::Time => value.ok_or_else(|| "Enter a date and time, such as 2026-01-31T09:30".to_owned()),
        _ => value.ok_or_else(|| "Enter a valid value".to_owned()),
    }
}
