//! What an action asks before it runs, and what was entered.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use usher_shared::{
    AppContext,
    foundation::{rules::Reason, time::now},
};

use super::{checklist::CheckOption, saving::HookFuture};
use crate::request::{sent::Fields, staff::Staff};
use crate::rows::{row::Row, storage::Storage};

/// The field that holds the reason.
pub const REASON: &str = "reason";

/// A parameter of an action.
#[derive(Debug)]
pub enum Param {
    /// Stored in the audit log.
    Reason { required: bool },
    /// A time in the future; may be left empty.
    Time {
        name: &'static str,
        label: &'static str,
        help: &'static str,
    },
    /// Some options. They depend on the object, so the action runs on one object at a time.
    Checklist {
        name: &'static str,
        label: &'static str,
        offered: for<'a> fn(&'a AppContext, &'a Staff, &'a Row) -> HookFuture<'a, Vec<CheckOption>>,
    },
}

/// The valid parameters that were entered for one run of an action.
#[derive(Clone, Debug, Default)]
pub struct Params {
    pub reason: Option<Reason>,
    times: BTreeMap<&'static str, DateTime<Utc>>,
    checked: BTreeMap<&'static str, BTreeSet<String>>,
}

impl Params {
    /// Reads them, or returns the errors: the field's name and the message beside it.
    pub(crate) fn read(declared: &[Param], form: &Fields) -> Result<Self, BTreeMap<&'static str, String>> {
        let (mut params, mut errors) = (Self::default(), BTreeMap::new());
        for param in declared {
            match param {
                Param::Reason { required } => {
                    let typed = form.get(REASON).unwrap_or_default();
                    if typed.trim().is_empty() && !required {
                        continue;
                    }
                    match Reason::parse(typed) {
                        Ok(reason) => params.reason = Some(reason),
                        Err(violation) => drop(errors.insert(REASON, violation.message)),
                    }
                }
                Param::Time { name, .. } => match until(form.get(name).unwrap_or_default()) {
                    Ok(Some(at)) => drop(params.times.insert(name, at)),
                    Ok(None) => {}
                    Err(words) => drop(errors.insert(name, words.to_owned())),
                },
                Param::Checklist { name, .. } => {
                    params.checked.insert(name, form.all(name).map(str::to_owned).collect());
                }
            }
        }
        if errors.is_empty() { Ok(params) } else { Err(errors) }
    }

    pub fn time(&self, name: &str) -> Option<DateTime<Utc>> {
        self.times.get(name).copied()
    }

    pub fn checked(&self, name: &str) -> BTreeSet<String> {
        self.checked.get(name).cloned().unwrap_or_default()
    }
}

fn until(typed: &str) -> Result<Option<DateTime<Utc>>, &'static str> {
    if typed.trim().is_empty() {
        return Ok(None);
    }
    let at = match Storage::Time.parse(typed.trim()) {
        Some(sea_orm::Value::ChronoDateTimeUtc(Some(at))) => at,
        _ => return Err("Enter a date and time, such as 2026-01-31T09:30"),
    };
    if at <= now() {
        return Err("This time has passed. Enter a future time in UTC");
    }
    Ok(Some(at))
}
