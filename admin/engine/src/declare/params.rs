//! What an action asks before it runs, and what was answered.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use usher_shared::foundation::{rules::Reason, time::now};

use crate::declare::{checklist::TickOption, saving::Answer};
use crate::rows::{row::Row, storage::Storage};
use usher_shared::AppContext;

use crate::request::{sent::Fields, staff::Staff};

/// The field that holds the reason.
pub const REASON: &str = "reason";

/// One question of an action.
#[derive(Debug)]
pub enum Ask {
    /// Kept in the audit log.
    Reason { required: bool },
    /// A time to come; may be left empty.
    Until {
        name: &'static str,
        label: &'static str,
        help: &'static str,
    },
    /// Some of these; the options depend on the object, so the action takes one object at a time.
    Some {
        name: &'static str,
        label: &'static str,
        offered: for<'a> fn(&'a AppContext, &'a Staff, &'a Row) -> Answer<'a, Vec<TickOption>>,
    },
}

/// What was typed into the questions of one action, valid.
#[derive(Clone, Debug, Default)]
pub struct Answers {
    pub reason: Option<Reason>,
    times: BTreeMap<&'static str, DateTime<Utc>>,
    ticked: BTreeMap<&'static str, BTreeSet<String>>,
}

impl Answers {
    /// Reads them, or says what is wrong with each: the field's name and the words beside it.
    pub fn read(asks: &[Ask], form: &Fields) -> Result<Self, BTreeMap<&'static str, String>> {
        let (mut answers, mut errors) = (Self::default(), BTreeMap::new());
        for ask in asks {
            match ask {
                Ask::Reason { required } => {
                    let typed = form.get(REASON).unwrap_or_default();
                    if typed.trim().is_empty() && !required {
                        continue;
                    }
                    match Reason::parse(typed) {
                        Ok(reason) => answers.reason = Some(reason),
                        Err(violation) => drop(errors.insert(REASON, violation.message)),
                    }
                }
                Ask::Until { name, .. } => match until(form.get(name).unwrap_or_default()) {
                    Ok(Some(at)) => drop(answers.times.insert(name, at)),
                    Ok(None) => {}
                    Err(words) => drop(errors.insert(name, words.to_owned())),
                },
                Ask::Some { name, .. } => {
                    answers.ticked.insert(name, form.all(name).map(str::to_owned).collect());
                }
            }
        }
        if errors.is_empty() { Ok(answers) } else { Err(errors) }
    }

    pub fn time(&self, name: &str) -> Option<DateTime<Utc>> {
        self.times.get(name).copied()
    }

    pub fn ticked(&self, name: &str) -> BTreeSet<String> {
        self.ticked.get(name).cloned().unwrap_or_default()
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
