//! What a valid name, email, age and password is: one rule, shown by the API as 422 and by the admin beside the field.

mod email;
mod password;
pub mod text;

use serde_json::{Value, json};

pub use email::{Email, EmailPolicy, SPECIAL_DOMAINS};
pub use password::Password;

/// What is wrong with one value. `kind` is a stable word (Pydantic's), `message` tells a person what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    pub kind: ViolationKind,
    pub message: String,
    /// The limit that was broken, such as `{"max_length": 255}`.
    pub context: Option<Value>,
    /// Which element of a list it is about, from 0.
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

/// The words that clients match on; those of FastAPI and Pydantic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
        match self {
            Self::Missing => "missing",
            Self::StringType => "string_type",
            Self::IntType => "int_type",
            Self::IntFromFloat => "int_from_float",
            Self::IntParsing => "int_parsing",
            Self::BoolParsing => "bool_parsing",
            Self::ValueError => "value_error",
            Self::StringTooShort => "string_too_short",
            Self::StringTooLong => "string_too_long",
            Self::TooShort => "too_short",
            Self::TooLong => "too_long",
            Self::GreaterThanEqual => "greater_than_equal",
            Self::LessThanEqual => "less_than_equal",
            Self::JsonInvalid => "json_invalid",
            Self::ModelAttributesType => "model_attributes_type",
            Self::DatetimeParsing => "datetime_parsing",
            Self::Enum => "enum",
            Self::ExtraForbidden => "extra_forbidden",
            Self::FrozenField => "frozen_field",
            Self::ListType => "list_type",
        }
    }
}

/// A person's name: 1–255 characters after trimming, [`text::visible`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name(String);

impl Name {
    pub const MAX_CHARS: usize = 255;

    pub fn parse(raw: &str) -> Result<Self, Violation> {
        let name = raw.trim();
        length("The name", name, 1, Self::MAX_CHARS)?;
        text::visible("The name", name)?;
        Ok(Self(name.to_owned()))
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Why staff or a service did something, for the audit log: 1–500 characters after trimming, [`text::visible`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason(String);

impl Reason {
    pub const MAX_CHARS: usize = 500;

    pub fn parse(raw: &str) -> Result<Self, Violation> {
        let reason = raw.trim();
        length("The reason", reason, 1, Self::MAX_CHARS)?;
        text::visible("The reason", reason)?;
        Ok(Self(reason.to_owned()))
    }

    #[must_use]
    pub fn into_text(self) -> String {
        self.0
    }
}

/// The id that another system knows a person by: 1–255 characters, [`text::visible`], compared byte by byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExternalId(String);

impl ExternalId {
    pub const MAX_CHARS: usize = 255;

    pub fn parse(raw: &str) -> Result<Self, Violation> {
        length("The external id", raw, 1, Self::MAX_CHARS)?;
        text::visible("The external id", raw)?;
        Ok(Self(raw.to_owned()))
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// An age in whole years, 0–150.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Age(i16);

impl Age {
    pub const MAX: i16 = 150;

    pub fn parse(raw: i64) -> Result<Self, Violation> {
        if raw < 0 {
            return Err(
                Violation::new(ViolationKind::GreaterThanEqual, "The age must be 0 or more").with(json!({"ge": 0})),
            );
        }
        match i16::try_from(raw) {
            Ok(age) if age <= Self::MAX => Ok(Self(age)),
            _ => Err(
                Violation::new(ViolationKind::LessThanEqual, "The age must be 150 or less")
                    .with(json!({"le": Self::MAX})),
            ),
        }
    }

    #[must_use]
    pub fn years(self) -> i16 {
        self.0
    }
}

/// Checks a text's length in characters.
pub(crate) fn length(what: &str, text: &str, min: usize, max: usize) -> Result<(), Violation> {
    let chars = text.chars().count();
    if chars < min {
        let wanted = if min == 1 {
            "1 character".to_owned()
        } else {
            format!("{min} characters")
        };
        return Err(Violation::new(
            ViolationKind::StringTooShort,
            format!("{what} must have at least {wanted}"),
        )
        .with(json!({"min_length": min})));
    }
    if chars > max {
        return Err(Violation::new(
            ViolationKind::StringTooLong,
            format!("{what} must have at most {max} characters"),
        )
        .with(json!({"max_length": max})));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind<T: std::fmt::Debug>(result: Result<T, Violation>) -> &'static str {
        result.unwrap_err().kind.as_str()
    }

    #[test]
    fn a_name_is_trimmed_and_has_1_to_255_characters() {
        assert_eq!(Name::parse("  Ada Lovelace ").unwrap().as_str(), "Ada Lovelace");
        assert_eq!(kind(Name::parse(" \t ")), "string_too_short");
        assert!(Name::parse(&"é".repeat(255)).is_ok());
        assert_eq!(kind(Name::parse(&"é".repeat(256))), "string_too_long");
        assert_eq!(kind(Name::parse("a\0b")), "value_error");
        assert_eq!(kind(Name::parse("a\nb")), "value_error");
    }

    #[test]
    fn an_age_is_0_to_150() {
        assert_eq!(Age::parse(0).unwrap().years(), 0);
        assert_eq!(Age::parse(150).unwrap().years(), 150);
        assert_eq!(kind(Age::parse(-1)), "greater_than_equal");
        assert_eq!(kind(Age::parse(151)), "less_than_equal");
        assert_eq!(kind(Age::parse(i64::MAX)), "less_than_equal");
    }
}
