//! A value as a person reads it.

use std::{collections::HashMap, fmt};

use askama::{Template, filters::HtmlSafe};
use chrono::{DateTime, Utc};
use sea_orm::Value;
use serde_json::Value as Json;

use super::{row::Row, storage::text_of};
use crate::declare::spec::{Kind, Spec};
use crate::text::{exact_time, short_time};

/// Names of related objects that a list shows.
pub(crate) const LISTED: usize = 5;

/// A value, ready to be shown; `parts/cell.html` draws it.
#[derive(Clone, Debug, Default)]
pub struct Cell {
    /// The visible text; empty when there is no value.
    pub text: String,
    /// The full value if `text` is shortened.
    pub title: String,
    /// A CSS class: `number`, `time`, `code`, `yes`, `no`, `json` or none.
    pub class: &'static str,
    /// The [`Tone`](crate::Tone)'s class, for a badge.
    pub tone: Option<&'static str>,
    pub href: Option<String>,
}

/// The name of an object that a foreign key points to, and its page.
#[derive(Clone, Debug)]
pub struct Named {
    pub name: String,
    pub href: String,
}

/// How foreign keys are shown: their objects, by model and id.
pub type Names = HashMap<(&'static str, String), Named>;

impl Cell {
    pub fn text(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            ..Self::default()
        }
    }

    pub fn time(at: DateTime<Utc>) -> Self {
        Self {
            text: short_time(at),
            title: exact_time(at),
            class: "time",
            ..Self::default()
        }
    }

    pub fn badge(text: impl Into<String>, tone: &'static str) -> Self {
        Self {
            text: text.into(),
            tone: Some(tone),
            ..Self::default()
        }
    }

    pub fn link(text: impl Into<String>, href: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            href: Some(href.into()),
            ..Self::default()
        }
    }

    /// A column's value.
    pub fn of(spec: &Spec, row: &Row, names: &Names) -> Self {
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
            (Kind::ManyToMany(_), Value::Json(Some(names))) => {
                let shown = listed(names).take(LISTED).collect::<Vec<_>>().join(", ");
                let more = listed(names).nth(LISTED).map_or("", |_| ", …");
                Self::text(shown + more)
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
                // Without a name it is gone, or this person may not see it: its page would be refused.
                let shown = match names.get(&(*model, text.clone())) {
                    Some(named) => Self::link(named.name.clone(), named.href.clone()),
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

    /// The same in full, for the object's own page.
    pub fn whole(spec: &Spec, row: &Row, names: &Names) -> Self {
        let cell = Self::of(spec, row, names);
        match (&spec.kind, row.get(spec.name)) {
            (Kind::ManyToMany(_), Some(Value::Json(Some(names)))) => {
                Self::text(listed(names).collect::<Vec<_>>().join(", "))
            }
            (Kind::ForeignKey(_), _) | (_, None) => cell,
            (_, Some(Value::Uuid(_) | Value::ChronoDateTimeUtc(_))) => Self {
                text: cell.title.clone(),
                ..cell
            },
            _ => cell,
        }
    }
}

/// The names of related objects.
pub(crate) fn listed(names: &Json) -> impl Iterator<Item = &str> {
    names.as_array().into_iter().flatten().filter_map(Json::as_str)
}

#[derive(Template)]
#[template(path = "parts/cell.html")]
struct CellHtml<'a> {
    cell: &'a Cell,
}

/// As HTML, for a template of the application's own.
impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        CellHtml { cell: self }.render_into(f).map_err(|_| fmt::Error)
    }
}

impl HtmlSafe for Cell {}

/// The last block of a UUID: the first ones are a time, similar in neighboring rows.
fn short_id(text: &str) -> String {
    match text.rsplit_once('-') {
        Some((_, last)) if text.len() == 36 => format!("…{last}"),
        _ if text.bytes().all(|byte| byte.is_ascii_digit()) => format!("#{text}"),
        _ => text.to_owned(),
    }
}
