//! Fields of a resource that an operation does not change. A client may send back all that it has read; a value other
//! than the current one is rejected, because ignoring it would look as if it had been stored.

use chrono::DateTime;
use serde::Serialize;
use serde_json::{Map, Value};
use usher_shared::foundation::rules::{Violation, ViolationKind};

use super::{
    error::ApiError,
    fields::{FieldError, Fields, in_body, integer},
};

/// One such member.
pub struct Fixed {
    name: &'static str,
    /// Which operation changes it, as a sentence.
    instead: &'static str,
    /// Whether it is a time that moves by itself, so that what was read a moment ago is another one by now.
    moves: bool,
}

impl Fixed {
    /// A field of this name, and which operation changes it, as a sentence.
    pub const fn new(name: &'static str, instead: &'static str) -> Self {
        let moves = false;
        Self { name, instead, moves }
    }

    /// A time that Usher keeps, such as that of the last change.
    pub const fn moving(name: &'static str) -> Self {
        Self {
            name,
            instead: "Usher sets this time",
            moves: true,
        }
    }
}

/// What was sent of them.
#[derive(Default)]
pub struct Sent(Vec<(&'static Fixed, Value)>);

impl Sent {
    /// What was sent of these members; the derive of the body calls it.
    pub fn read(fields: &Fields<'_>, members: &'static [Fixed]) -> Self {
        let sent = members.iter();
        let sent = sent.filter_map(|member| Some((member, fields.raw(member.name)?.clone())));
        Self(sent.collect())
    }

    /// Refuses what differs from the row as this caller sees it.
    pub fn must_be<T: Serialize>(&self, row: impl FnOnce() -> T) -> Result<(), ApiError> {
        if self.0.is_empty() {
            return Ok(());
        }
        let Value::Object(row) = serde_json::to_value(row()).map_err(anyhow::Error::from)? else {
            return Ok(());
        };
        let differs = |(member, sent): &&(&Fixed, Value)| !is_there(member, sent, &row);
        let faults: Vec<_> = self.0.iter().filter(differs).map(|(member, _)| fault(member)).collect();
        match faults.is_empty() {
            true => Ok(()),
            false => Err(ApiError::Invalid(faults)),
        }
    }
}

fn fault(member: &Fixed) -> FieldError {
    let Fixed { name, instead, .. } = member;
    let message = format!("{name} can't be changed here. {instead}. Leave it out, or send its current value");
    in_body(name, Violation::new(ViolationKind::FrozenField, message))
}

fn is_there(member: &Fixed, sent: &Value, row: &Map<String, Value>) -> bool {
    let Some(there) = row.get(member.name) else {
        return false;
    };
    let moment = |value: &Value| DateTime::parse_from_rfc3339(value.as_str()?).ok();
    match (moment(sent), moment(there)) {
        (Some(sent), Some(there)) if member.moves => {
            let born = row.get("created_at").and_then(moment);
            sent <= there && born.is_none_or(|born| born <= sent)
        }
        (Some(sent), Some(there)) => sent == there,
        // `7.0` is the whole number 7.
        _ if there.is_i64() => integer(sent).ok() == there.as_i64(),
        _ => sent == there,
    }
}
