//! One row of a model's table, and its values as a person reads them.

use std::{borrow::Cow, collections::HashMap};

use chrono::{DateTime, Utc};
use sea_orm::{DbErr, QueryResult, Value};
use usher_shared::foundation::{redact, time::now};

use crate::engine::{declare::field::{Kind, Spec}, rows::storage::text_of};

/// A row, by column name. Secret columns are not in it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Row(HashMap<&'static str, Value>);

impl Row {
    pub(crate) fn read(specs: &[Spec], result: &QueryResult) -> Result<Self, DbErr> {
        let read = specs.iter().filter(|spec| spec.is_read());
        let values = read.map(|spec| Ok((spec.name, without_tokens(spec, spec.storage.read(result, spec.name)?))));
        Ok(Self::of(values.collect::<Result<_, DbErr>>()?, specs))
    }

    /// The same, with one more fact about it.
    pub(crate) fn and(mut self, name: &'static str, fact: bool) -> Self {
        self.0.insert(name, fact.into());
        self
    }

    /// A row whose values were read otherwise: what its columns are worth now.
    pub(crate) fn of<'a>(values: HashMap<&'static str, Value>, specs: impl IntoIterator<Item = &'a Spec>) -> Self {
        let stored = Self(values);
        let at = now();
        let by_clock = specs.into_iter().filter_map(|spec| Some((spec, spec.by_clock?)));
        let values: Vec<_> = by_clock
            .filter(|(spec, _)| stored.0.contains_key(spec.name))
            .map(|(spec, by_clock)| {
                let value = (by_clock.value)(&stored, at);
                (spec.name, value.unwrap_or_else(|| spec.storage.null()))
            })
            .collect();
        let mut row = stored;
        row.0.extend(values);
        row
    }

    /// The column's value; none when it is NULL or not a column that is read.
    pub(crate) fn get(&self, column: &str) -> Option<&Value> {
        self.0.get(column).filter(|value| !is_null(value))
    }

    /// The column's value as text.
    pub(crate) fn text(&self, column: &str) -> Option<String> {
        self.get(column).and_then(text_of)
    }

    pub(crate) fn time(&self, column: &str) -> Option<DateTime<Utc>> {
        match self.get(column) {
            Some(Value::ChronoDateTimeUtc(at)) => *at,
            _ => None,
        }
    }

    pub(crate) fn is_true(&self, column: &str) -> bool {
        matches!(self.get(column), Some(Value::Bool(Some(true))))
    }
}

/// Whatever a program has written down is read without the tokens in it, such as in a job's payload or its error. What
/// people type is theirs, and a column that is never shown is whole.
fn without_tokens(spec: &Spec, value: Value) -> Value {
    if spec.is_asked(false) || matches!(spec.kind, Kind::Internal) {
        return value;
    }
    match &value {
        Value::String(Some(text)) => match redact::tokens(text) {
            Cow::Borrowed(_) => value,
            Cow::Owned(cut) => cut.into(),
        },
        Value::Json(Some(json)) => match redact::tokens(&json.to_string()) {
            Cow::Borrowed(_) => value,
            Cow::Owned(cut) => serde_json::from_str::<serde_json::Value>(&cut)
                .unwrap_or_default()
                .into(),
        },
        _ => value,
    }
}

pub(crate) fn is_null(value: &Value) -> bool {
    match value {
        Value::Json(json) => json.is_none(),
        Value::Bytes(bytes) => bytes.is_none(),
        value => text_of(value).is_none(),
    }
}

/// A value, ready to be shown; `parts/cell.html` draws it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cell {
    /// What is read; empty when there is no value.
    pub(crate) text: String,
    /// The whole value where `text` is shortened.
    pub(crate) title: String,
    /// A CSS class: `number`, `time`, `code`, `yes`, `no`, `json` or none.
    pub(crate) class: &'static str,
    /// The [`crate::engine::Tone`]'s class, for a badge.
    pub(crate) tone: Option<&'static str>,
    pub(crate) href: Option<String>,
}

/// How foreign keys are shown: their objects' names, by model and id.
pub(crate) type Names = HashMap<(&'static str, String), String>;

impl Cell {
    pub(crate) fn text(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            ..Self::default()
        }
    }

    pub(crate) fn time(at: DateTime<Utc>) -> Self {
        Self {
            text: short_time(at),
            title: exact_time(at),
            class: "time",
            ..Self::default()
        }
    }

    pub(crate) fn badge(text: impl Into<String>, tone: &'static str) -> Self {
        Self {
            text: text.into(),
            tone: Some(tone),
            ..Self::default()
        }
    }

    pub(crate) fn link(text: impl Into<String>, href: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            href: Some(href.into()),
            ..Self::default()
        }
    }

    /// A column's value.
    pub(crate) fn of(spec: &Spec, row: &Row, names: &Names) -> Self {
        let Some(value) = row.get(spec.name) else {
            return Self::default();
        };
        let text = text_of(value).unwrap_or_default();
        let text = match spec.spellings {
            Some(spellings) => spellings(&text)[0].to_owned(),
            None => text,
        };
        match (&spec.kind, value) {
            (_, Value::ChronoDateTimeUtc(Some(at))) => Self::time(*at),
            (_, Value::Bool(Some(truth))) => {
                let (text, class) = if *truth { ("Yes", "yes") } else { ("No", "no") };
                Self {
                    class,
                    ..Self::text(text)
                }
            }
            (_, Value::Json(Some(json))) => Self {
                class: "json",
                ..Self::text(serde_json::to_string_pretty(json).unwrap_or_default())
            },
            (_, Value::Bytes(Some(bytes))) => Self::text(format!("{} bytes", bytes.len())),
            (Kind::Choice(_), _) => match spec.choice(&text) {
                Some(choice) => Self::badge(choice.label.clone(), choice.tone.class()),
                None => Self::text(text),
            },
            (Kind::ForeignKey(model), _) => {
                // What has no name here is gone, or not this person's to see: its page would be refused.
                let shown = match names.get(&(*model, text.clone())) {
                    Some(name) => Self::link(name.clone(), format!("/admin/{model}/{text}")),
                    None => Self::text(short_id(&text)),
                };
                Self { title: text, ..shown }
            }
            (_, Value::Uuid(_)) => Self {
                text: short_id(&text),
                title: text,
                class: "code",
                ..Self::default()
            },
            (_, Value::SmallInt(_) | Value::Int(_) | Value::BigInt(_)) => Self {
                class: "number",
                ..Self::text(text)
            },
            _ => Self::text(spec.shown(text)),
        }
    }

    /// The same without its form's shortening, for the page of the object.
    pub(crate) fn whole(spec: &Spec, row: &Row, names: &Names) -> Self {
        let cell = Self::of(spec, row, names);
        match (&spec.kind, row.get(spec.name)) {
            (Kind::ForeignKey(_), _) | (_, None) => cell,
            (_, Some(Value::Uuid(_) | Value::ChronoDateTimeUtc(_))) => Self {
                text: cell.title.clone(),
                ..cell
            },
            _ => cell,
        }
    }
}

/// The last block of a UUID: its first ones are a time, alike in neighbours.
fn short_id(text: &str) -> String {
    match text.rsplit_once('-') {
        Some((_, last)) if text.len() == 36 => format!("…{last}"),
        _ if text.bytes().all(|byte| byte.is_ascii_digit()) => format!("#{text}"),
        _ => text.to_owned(),
    }
}

pub(crate) fn short_time(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M").to_string()
}

pub(crate) fn exact_time(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M:%S%.3f UTC").to_string()
}
