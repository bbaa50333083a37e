//! Reads a JSON object field by field and collects **every** fault, where serde would stop at the first.
//! Types are strict; the rules are those of `usher_shared::foundation::rules`, which the admin's forms use as well.

use std::{borrow::Cow, collections::HashMap};

use serde::{Serialize, Serializer, ser::SerializeMap};
use serde_json::{Map, Value};
use usher_shared::foundation::rules::{Violation, ViolationKind};
use utoipa::{ToSchema, openapi::Schema};

use super::{schema, state::Toolkit};

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
    /// What is wrong there.
    pub violation: Violation,
}

impl FieldError {
    /// A fault in this part of the request: `body`, `path`, `query` or `header`.
    #[must_use]
    pub fn new(part: &'static str, step: Option<Step>, violation: Violation) -> Self {
        let mut location = Vec::with_capacity(2);
        location.push(Step::Key(Cow::Borrowed(part)));
        location.extend(step);
        location.extend(violation.element.map(Step::Index));
        Self { location, violation }
    }

    /// A header with a wrong value.
    #[must_use]
    pub fn in_header(name: &'static str, message: &str) -> Self {
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

/// What a request body is read into. [`derive@crate::FromFields`] writes it; its fields are
/// [`Field`]s.
pub trait FromFields: Sized {
    /// None when a fault was found; `fields` has noted it.
    fn from_fields(fields: &mut Fields<'_>) -> Option<Self>;
}

/// A type that a field of a body can have: how a value is read, and what the document says of it.
pub trait Field: Sized {
    /// What an absent field stands for; None where the field is required.
    fn absent() -> Option<Self> {
        None
    }

    /// Reads the value strictly: `"5"` and `true` are no numbers, and null is no text.
    fn read(value: &Value, fields: &Fields<'_>) -> Result<Self, Violations>;

    /// A value or a list of values; [`schema::BodySchema`] adds what the field itself says.
    fn schema() -> Schema;
}

/// Null stands for none, and so does an absent field.
impl<T: Field> Field for Option<T> {
    fn absent() -> Option<Self> {
        Some(None)
    }

    fn read(value: &Value, fields: &Fields<'_>) -> Result<Self, Violations> {
        match value {
            Value::Null => Ok(None),
            value => T::read(value, fields).map(Some),
        }
    }

    fn schema() -> Schema {
        schema::nullable(T::schema())
    }
}

/// A field of a merge patch, which changes nothing where it is absent. `Patch<Option<T>>` is for values that null takes
/// away.
#[derive(Debug, PartialEq)]
pub struct Patch<T>(pub Option<T>);

impl<T: Field> Field for Patch<T> {
    fn absent() -> Option<Self> {
        Some(Self(None))
    }

    fn read(value: &Value, fields: &Fields<'_>) -> Result<Self, Violations> {
        T::read(value, fields).map(Some).map(Self)
    }

    fn schema() -> Schema {
        T::schema()
    }
}

/// Everything that is wrong with one value.
pub struct Violations(Vec<Violation>);

impl Violations {
    /// Null is a value of another type for each kind of field. What the client meant is to take the value away.
    fn of_null(self, name: &str) -> Self {
        let kind = self.0.first().map_or(ViolationKind::ValueError, |first| first.kind);
        Violation::new(kind, format!("The field {name} can't be null")).into()
    }
}

impl From<Violation> for Violations {
    fn from(violation: Violation) -> Self {
        Self(vec![violation])
    }
}

impl From<Vec<Violation>> for Violations {
    fn from(violations: Vec<Violation>) -> Self {
        Self(violations)
    }
}

/// The fields of one object, and the faults found so far. Ask in declaration order: faults are listed so.
pub struct Fields<'v> {
    object: &'v Map<String, Value>,
    /// For rules that settings decide.
    pub toolkit: &'v Toolkit,
    faults: Vec<FieldError>,
}

impl<'v> Fields<'v> {
    pub(crate) fn new(object: &'v Map<String, Value>, toolkit: &'v Toolkit) -> Self {
        Self {
            object,
            toolkit,
            faults: Vec::new(),
        }
    }

    pub(crate) fn into_faults(self) -> Vec<FieldError> {
        self.faults
    }

    /// A field as it was sent, whatever it is.
    pub fn raw(&self, name: &str) -> Option<&'v Value> {
        self.object.get(name)
    }

    /// A field as its type reads it. None when it is at fault, which is noted.
    pub fn read<T: Field>(&mut self, name: &'static str) -> Option<T> {
        let read = match self.raw(name) {
            Some(Value::Null) => T::read(&Value::Null, self).map_err(|found| found.of_null(name)),
            Some(value) => T::read(value, self),
            None => T::absent().ok_or_else(|| {
                let message = format!("The field {name} is required");
                Violation::new(ViolationKind::Missing, message).into()
            }),
        };
        read.map_err(|Violations(all)| {
            let faults = all.into_iter().map(|violation| in_body(name, violation));
            self.faults.extend(faults);
        })
        .ok()
    }

    /// Another field of the same body, where it is there and without fault.
    pub fn peek<T: Field>(&self, name: &str) -> Option<T> {
        T::read(self.raw(name)?, self).ok()
    }
}

/// A fault of this field of the body.
#[must_use]
pub fn in_body(name: &'static str, violation: Violation) -> FieldError {
    FieldError::new("body", Some(Step::Key(Cow::Borrowed(name))), violation)
}

/// A JSON string.
///
/// # Errors
///
/// Another kind of value.
pub fn string(value: &Value) -> Result<&str, Violation> {
    value
        .as_str()
        .ok_or_else(|| Violation::new(ViolationKind::StringType, "Send a string"))
}

/// A JSON array of strings.
///
/// # Errors
///
/// Another kind of value.
pub fn strings(value: &Value) -> Result<Vec<&str>, Violation> {
    let list = value
        .as_array()
        .ok_or_else(|| Violation::new(ViolationKind::ListType, "Send a list of strings"))?;
    let elements = list.iter().enumerate();
    elements
        .map(|(number, value)| string(value).map_err(|fault| fault.of_element(number)))
        .collect()
}

/// `36.0` is the whole number 36 (JSON Schema 2020-12 §6.1.1); what exceeds 64 bits becomes the nearest limit, for the
/// rule to refuse.
///
/// # Errors
///
/// Another kind of value.
pub fn integer(value: &Value) -> Result<i64, Violation> {
    let Value::Number(number) = value else {
        return Err(Violation::new(
            ViolationKind::IntType,
            "Send a whole number, without quotes",
        ));
    };
    match (number.as_i64(), number.as_f64()) {
        (Some(whole), _) => Ok(whole),
        #[expect(clippy::cast_possible_truncation, reason = "`as` saturates, which is what is wanted")]
        (None, Some(float)) if float.fract() == 0.0 => Ok(float as i64),
        _ => Err(Violation::new(
            ViolationKind::IntFromFloat,
            "Send a whole number, without a fraction",
        )),
    }
}
