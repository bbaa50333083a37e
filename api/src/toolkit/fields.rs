//! Reads a JSON object field by field and collects **every** fault, where serde would stop at the first.
//! Types are strict; the rules are those of `usher_shared::foundation::rules`, which the admin's forms use as well.

use std::{borrow::Cow, collections::HashMap};

use serde::{Serialize, Serializer, ser::SerializeMap};
use serde_json::{Map, Value};
use usher_shared::foundation::rules::{Violation, ViolationKind};
use utoipa::ToSchema;

use super::state::Toolkit;

/// One step of the way to a value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(untagged)]
#[schema(as = FaultStep)]
pub enum Step {
    Key(Cow<'static, str>),
    Index(usize),
}

/// One fault of a request: where, and what.
#[derive(Debug)]
pub struct FieldError {
    /// `body`, `path`, `query` or `header`, then the way within it.
    pub location: Vec<Step>,
    pub violation: Violation,
}

impl FieldError {
    pub(crate) fn new(part: &'static str, step: Option<Step>, violation: Violation) -> Self {
        let mut location = Vec::with_capacity(2);
        location.push(Step::Key(Cow::Borrowed(part)));
        location.extend(step);
        location.extend(violation.element.map(Step::Index));
        Self { location, violation }
    }

    /// A header with a wrong value.
    pub(crate) fn in_header(name: &'static str, message: &str) -> Self {
        Self::new(
            "header",
            Some(Step::Key(Cow::Borrowed(name))),
            Violation::value(message),
        )
    }

    /// An example for the documents.
    pub(crate) fn sample() -> Self {
        let violation = Violation::new(ViolationKind::Missing, "The field email is required");
        Self::new("body", Some(Step::Key(Cow::Borrowed("email"))), violation)
    }
}

/// One fault of a request.
#[derive(ToSchema)]
#[schema(as = Fault)]
#[expect(dead_code, reason = "only describes what `FieldError` is written as")]
pub(crate) struct FaultOut {
    /// The kind of fault, as a stable word of FastAPI and Pydantic.
    #[schema(example = "missing")]
    r#type: String,
    /// Where it is: `body`, `path`, `query` or `header`, then the way within it.
    #[schema(example = json!(["body", "email"]))]
    loc: Vec<Step>,
    /// What to do, for a person.
    #[schema(example = "The field email is required")]
    msg: String,
    /// The limit that was broken, such as `{"max_length": 255}`.
    ctx: Option<HashMap<String, Value>>,
}

/// As FastAPI and Pydantic write it.
impl Serialize for FieldError {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("type", self.violation.kind.as_str())?;
        map.serialize_entry("loc", &self.location)?;
        map.serialize_entry("msg", &self.violation.message)?;
        if let Some(context) = &self.violation.context {
            map.serialize_entry("ctx", context)?;
        }
        map.end()
    }
}

/// What a request body is read into.
pub trait FromFields: Sized {
    /// None when a fault was found; `fields` has noted it.
    fn from_fields(fields: &mut Fields<'_>, toolkit: &Toolkit) -> Option<Self>;
}

/// The fields of one object, and the faults found so far. Ask in declaration order: faults are listed so.
pub struct Fields<'v> {
    object: &'v Map<String, Value>,
    faults: Vec<FieldError>,
}

impl<'v> Fields<'v> {
    pub(crate) fn new(object: &'v Map<String, Value>) -> Self {
        Self {
            object,
            faults: Vec::new(),
        }
    }

    pub(crate) fn into_faults(self) -> Vec<FieldError> {
        self.faults
    }

    /// A field as it was sent, whatever it is.
    pub(crate) fn raw(&self, name: &str) -> Option<&'v Value> {
        self.object.get(name)
    }

    /// A field that must be there.
    pub fn required<T: FromJson<'v>, U>(
        &mut self,
        name: &'static str,
        rule: impl FnOnce(T) -> Result<U, Violation>,
    ) -> Option<U> {
        let read = match self.object.get(name) {
            None => Err(Violation::new(
                ViolationKind::Missing,
                format!("The field {name} is required"),
            )),
            Some(value) => T::from_json(value).and_then(rule),
        };
        self.note(name, read)
    }

    /// A field that must be there, with a rule that tells every fault of it.
    pub fn required_all<T: FromJson<'v>, U>(
        &mut self,
        name: &'static str,
        rule: impl FnOnce(T) -> Result<U, Vec<Violation>>,
    ) -> Option<U> {
        let raw = self.required(name, |raw: T| Ok(raw))?;
        match rule(raw) {
            Ok(read) => Some(read),
            Err(violations) => {
                self.faults
                    .extend(violations.into_iter().map(|violation| in_body(name, violation)));
                None
            }
        }
    }

    /// A field that may be absent or null, both of which give `Some(None)`.
    pub fn optional<T: FromJson<'v>, U>(
        &mut self,
        name: &'static str,
        rule: impl FnOnce(T) -> Result<U, Violation>,
    ) -> Option<Option<U>> {
        let read = match self.object.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => T::from_json(value).and_then(rule).map(Some),
        };
        self.note(name, read)
    }

    /// A field of a merge patch that may be absent, and not null: its column always has a value.
    pub fn change<T: FromJson<'v>, U>(
        &mut self,
        name: &'static str,
        rule: impl FnOnce(T) -> Result<U, Violation>,
    ) -> Option<Option<U>> {
        let Some(value) = self.object.get(name) else {
            return Some(None);
        };
        let read = T::from_json(value).and_then(rule);
        self.note(name, read).map(Some)
    }

    /// A field of a merge patch that may be absent, which changes nothing, or null, which takes the value away.
    pub fn change_or_clear<T: FromJson<'v>, U>(
        &mut self,
        name: &'static str,
        rule: impl FnOnce(T) -> Result<U, Violation>,
    ) -> Option<Option<Option<U>>> {
        if self.object.contains_key(name) {
            self.optional(name, rule).map(Some)
        } else {
            Some(None)
        }
    }

    fn note<U>(&mut self, name: &'static str, read: Result<U, Violation>) -> Option<U> {
        read.map_err(|violation| {
            self.faults.push(in_body(name, violation));
        })
        .ok()
    }
}

/// Any text at all.
pub(crate) fn text(raw: &str) -> Result<String, Violation> {
    Ok(raw.to_owned())
}

/// A fault of this field of the body.
pub(crate) fn in_body(name: &'static str, violation: Violation) -> FieldError {
    FieldError::new("body", Some(Step::Key(Cow::Borrowed(name))), violation)
}

/// A JSON type, read strictly: `"5"` and `true` are no numbers, and null is no text.
pub trait FromJson<'v>: Sized {
    fn from_json(value: &'v Value) -> Result<Self, Violation>;
}

impl<'v> FromJson<'v> for &'v str {
    fn from_json(value: &'v Value) -> Result<Self, Violation> {
        value
            .as_str()
            .ok_or_else(|| Violation::new(ViolationKind::StringType, "Send a string"))
    }
}

impl<'v> FromJson<'v> for Vec<&'v str> {
    fn from_json(value: &'v Value) -> Result<Self, Violation> {
        let list = value
            .as_array()
            .ok_or_else(|| Violation::new(ViolationKind::ListType, "Send a list of strings"))?;
        let elements = list.iter().enumerate();
        elements
            .map(|(number, value)| <&str>::from_json(value).map_err(|fault| fault.of_element(number)))
            .collect()
    }
}

impl FromJson<'_> for i64 {
    /// `36.0` is the whole number 36 (JSON Schema 2020-12 §6.1.1); what exceeds 64 bits becomes the nearest limit,
    /// for the rule to refuse.
    fn from_json(value: &Value) -> Result<Self, Violation> {
        let Value::Number(number) = value else {
            return Err(Violation::new(
                ViolationKind::IntType,
                "Send a whole number, without quotes",
            ));
        };
        match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => Ok(whole),
            #[expect(clippy::cast_possible_truncation, reason = "`as` saturates, which is what is wanted")]
            (None, Some(float)) if float.fract() == 0.0 => Ok(float as Self),
            _ => Err(Violation::new(
                ViolationKind::IntFromFloat,
                "Send a whole number, without a fraction",
            )),
        }
    }
}
