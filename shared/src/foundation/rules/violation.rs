//! What is wrong with a value.

use std::fmt;

use serde_json::{Value, json};
use strum::IntoStaticStr;

/// What is wrong with one value. `kind` is stable (Pydantic's words); `message` tells a person what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    pub kind: ViolationKind,
    pub message: String,
    /// The limit that was broken, such as `{"max_length": 255}`.
    pub context: Option<Value>,
    /// The index of the element in a list.
    pub element: Option<usize>,
}

impl Violation {
    #[must_use]
    pub fn new(kind: ViolationKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            context: None,
            element: None,
        }
    }

    #[must_use]
    pub fn with(mut self, context: Value) -> Self {
        self.context = Some(context);
        self
    }

    #[must_use]
    pub fn of_element(mut self, number: usize) -> Self {
        self.element = Some(number);
        self
    }

    /// The value is not acceptable for the reason given.
    #[must_use]
    pub fn value(message: impl Into<String>) -> Self {
        Self::new(ViolationKind::ValueError, message)
    }
}

/// What is wrong with a form or a body, each violation with the name of its field, such as `email`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldErrors(pub Vec<(&'static str, Violation)>);

/// `email: Use your company's address`, separated by semicolons.
impl fmt::Display for FieldErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let told = self
            .0
            .iter()
            .map(|(field, violation)| format!("{field}: {}", violation.message));
        f.write_str(&told.collect::<Vec<_>>().join("; "))
    }
}

/// The kinds that clients match on; the words are those of FastAPI and Pydantic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, IntoStaticStr)]
#[strum(serialize_all = "snake_case", const_into_str)]
pub enum ViolationKind {
    Missing,
    StringType,
    IntType,
    IntFromFloat,
    IntParsing,
    BoolParsing,
    ValueError,
    StringTooShort,
    StringTooLong,
    TooShort,
    TooLong,
    GreaterThanEqual,
    LessThanEqual,
    JsonInvalid,
    ModelAttributesType,
    DatetimeParsing,
    Enum,
    ExtraForbidden,
    FrozenField,
    ListType,
}

impl ViolationKind {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.into_str()
    }
}

/// Checks a text's length in characters.
pub(crate) fn length(what: &str, text: &str, min: usize, max: usize) -> Result<(), Violation> {
    let chars = text.chars().count();
    if chars < min {
        let message = match min {
            1 => format!("Enter {what}"),
            _ => format!("Enter {what} of at least {min} characters"),
        };
        return Err(Violation::new(ViolationKind::StringTooShort, message).with(json!({"min_length": min})));
    }
    if chars > max {
        return Err(Violation::new(
            ViolationKind::StringTooLong,
            format!("Enter {what} of at most {max} characters"),
        )
        .with(json!({"max_length": max})));
    }
    Ok(())
}
