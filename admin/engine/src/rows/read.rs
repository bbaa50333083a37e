//! Reading rows: current values of time-dependent columns, tokens removed.

use std::{borrow::Cow, collections::HashMap};

use sea_orm::{DbErr, QueryResult, Value};
use usher_shared::foundation::{redact, time::now};

use super::row::Row;
use crate::declare::spec::{Kind, Spec};

impl Row {
    pub(crate) fn read(specs: &[Spec], result: &QueryResult) -> Result<Self, DbErr> {
        let read = specs.iter().filter(|spec| spec.is_read());
        let values = read.map(|spec| Ok((spec.name, without_tokens(spec, spec.storage.read(result, spec.name)?))));
        Ok(Self::of(values.collect::<Result<_, DbErr>>()?, specs))
    }

    /// A row from values that were read in another way, with current values of time-dependent columns.
    pub(crate) fn of<'a>(values: HashMap<&'static str, Value>, specs: impl IntoIterator<Item = &'a Spec>) -> Self {
        let stored = Self(values);
        let at = now();
        let time_dependent = specs.into_iter().filter_map(|spec| Some((spec, spec.time_dependent?)));
        let values: Vec<_> = time_dependent
            .filter(|(spec, _)| stored.0.contains_key(spec.name))
            .map(|(spec, time_dependent)| {
                let value = (time_dependent.value)(&stored, at);
                (spec.name, value.unwrap_or_else(|| spec.storage.null()))
            })
            .collect();
        let mut row = stored;
        row.0.extend(values);
        row
    }
}

/// Text written by programs, such as a job's payload or error, is read without the tokens in it. What people type is
/// left alone, and so are columns that are never shown.
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
