//! One filter of a list: read from the address, written back to it, and as a condition of the statement.

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{
    Value,
    sea_query::{Condition, Expr, ExprTrait, IntoCondition, SimpleExpr},
};
use usher_shared::foundation::time::{first_id, now};

use crate::declare::spec::{Kind, Spec};
use crate::declare::{many_to_many::ManyToMany, model::Model};
use crate::lists::period::Period;
use crate::rows::storage::Storage;

/// Clocks of the processes that make ids differ by less than this.
const CLOCKS: TimeDelta = TimeDelta::hours(1);

/// Why an address is rejected.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum BadQuery {
    /// It asks about a secret column.
    Secret(&'static str),
    /// It asks for something that doesn't exist.
    Unknown,
}

/// One column and what it must be.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Filter {
    pub(crate) column: &'static str,
    pub(crate) test: Test,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Test {
    Is {
        text: String,
        value: Value,
        /// Whether it is one of the declared choices.
        listed: bool,
    },
    Null(bool),
    /// Related to this object of another model.
    Related {
        text: String,
        id: Value,
    },
    /// A year, a month or a day: `2026`, `2026-11`, `2026-11-22`, in UTC.
    During(Period),
    /// From this time on.
    From {
        text: String,
        at: DateTime<Utc>,
    },
    /// Before this time.
    Before {
        text: String,
        at: DateTime<Utc>,
    },
}

impl Filter {
    pub(super) fn condition(&self, model: &Model) -> Condition {
        let column = Expr::col(self.column);
        if let Some(time_dependent) = model.field(self.column).and_then(|spec| spec.time_dependent) {
            match &self.test {
                Test::Is { text, .. } => return (time_dependent.rows)(Some(text), now()),
                Test::Null(true) => return (time_dependent.rows)(None, now()),
                Test::Null(false) => return (time_dependent.rows)(None, now()).not(),
                _ => {}
            }
        }
        match &self.test {
            Test::Related { id, .. } => {
                let across = model.many_to_many.iter().find(|across| across.name == self.column);
                return Condition::all().add_option(across.map(|across| across.condition(model.id, id)));
            }
            // A declared choice is written into the statement: with a parameter in its place no plan could use a
            // partial index that leaves out the most common choice.
            Test::Is {
                value: Value::String(Some(word)),
                listed: true,
                ..
            } => {
                let same = column.eq(Expr::cust(format!("'{word}'")));
                let choice = model.field(self.column).and_then(|spec| spec.choice(word));
                match choice.and_then(|choice| choice.implies) {
                    Some(implied) => same.and(Expr::cust(implied)),
                    None => same,
                }
            }
            Test::Is { value, .. } => match model.field(self.column) {
                Some(spec) => spec.equals(value),
                None => column.eq(value.clone()),
            },
            Test::Null(true) => column.is_null(),
            Test::Null(false) => column.is_not_null(),
            Test::During(period) => {
                let (from, to) = period.range();
                column.clone().gte(from).and(column.lt(to))
            }
            Test::From { at, .. } => column.gte(*at),
            Test::Before { at, .. } => column.lt(*at),
        }
        .into_condition()
        .add_option(self.by_id(model))
    }

    /// A time that the list sorts by its ids is filtered through them too: ids hold the time by the clock of the
    /// process that made them.
    fn by_id(&self, model: &Model) -> Option<SimpleExpr> {
        let is_by_id = model.field(self.column)?.sort == Some(model.id) && model.id_field().storage == Storage::Uuid;
        let id = || Expr::col(model.id);
        let from = |at: DateTime<Utc>| id().gte(first_id(at.checked_sub_signed(CLOCKS).unwrap_or(at)));
        let before = |at: DateTime<Utc>| id().lt(first_id(at.checked_add_signed(CLOCKS).unwrap_or(at)));
        match &self.test {
            _ if !is_by_id => None,
            Test::During(period) => {
                let (start, end) = period.range();
                Some(from(start).and(before(end)))
            }
            Test::From { at, .. } => Some(from(*at)),
            Test::Before { at, .. } => Some(before(*at)),
            _ => None,
        }
    }

    pub(super) fn parameter(&self) -> (String, String) {
        match &self.test {
            Test::Is { text, .. } | Test::Related { text, .. } => (self.column.to_owned(), text.clone()),
            Test::Null(null) => (format!("{}__isnull", self.column), null.to_string()),
            Test::During(period) => (self.column.to_owned(), period.text()),
            Test::From { text, .. } => (format!("{}__gte", self.column), text.clone()),
            Test::Before { text, .. } => (format!("{}__lt", self.column), text.clone()),
        }
    }
}

/// Reads `column=value` or `column__isnull=true`; an empty value filters nothing.
pub(super) fn parse(model: &Model, name: &str, value: &str) -> Result<Option<Filter>, BadQuery> {
    let (column, lookup) = name
        .split_once("__")
        .map_or((name, None), |(column, lookup)| (column, Some(lookup)));
    if let Some(across) = model.many_to_many.iter().find(|across| across.name == name) {
        return related(across, value);
    }
    let spec = model.field(column).ok_or(BadQuery::Unknown)?;
    match spec.kind {
        Kind::Secret => return Err(BadQuery::Secret(spec.name)),
        _ if !spec.filter => return Err(BadQuery::Unknown),
        _ if value.is_empty() => return Ok(None),
        _ => {}
    }
    let is_time = matches!(spec.kind, Kind::Time);
    let test = match lookup {
        None if is_time => Period::parse(value).map(Test::During),
        Some("gte") if is_time => time(value).map(|(text, at)| Test::From { text, at }),
        Some("lt") if is_time => time(value).map(|(text, at)| Test::Before { text, at }),
        None => is(spec, value),
        Some("isnull") if spec.nullable => value.parse().ok().map(Test::Null),
        Some(_) => None,
    };
    test.map(|test| {
        Some(Filter {
            column: spec.name,
            test,
        })
    })
    .ok_or(BadQuery::Unknown)
}

fn related(across: &ManyToMany, value: &str) -> Result<Option<Filter>, BadQuery> {
    if value.is_empty() {
        return Ok(None);
    }
    let id = across.parse(value).ok_or(BadQuery::Unknown)?;
    let test = Test::Related {
        text: value.to_owned(),
        id,
    };
    Ok(Some(Filter {
        column: across.name,
        test,
    }))
}

/// A day or an exact time.
fn time(text: &str) -> Option<(String, DateTime<Utc>)> {
    let at = match Period::parse(text) {
        Some(period) => period.range().0,
        None => match Storage::Time.parse(text)? {
            Value::ChronoDateTimeUtc(at) => at?,
            _ => return None,
        },
    };
    Some((text.to_owned(), at))
}

/// A test for equality; `None` if the column can't have this value.
pub(super) fn is(spec: &Spec, text: &str) -> Option<Test> {
    let offered = !matches!(spec.kind, Kind::Choice(_)) || spec.choice(text).is_some();
    let value = spec.storage.parse(text).filter(|_| offered)?;
    Some(Test::Is {
        text: text.to_owned(),
        value,
        listed: matches!(spec.kind, Kind::Choice(_)),
    })
}
