//! Reading rows: what the columns are worth now, without the tokens in them.

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
