//! Names, reasons, external ids and ages.

use serde_json::json;

use super::{
    text,
    violation::{Violation, ViolationKind, length},
};

/// A person's name: 1–255 characters after trimming, [`text::visible`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name(String);

impl Name {
    pub const MAX_CHARS: usize = 255;

    pub fn parse(raw: &str) -> Result<Self, Violation> {
        let name = raw.trim();
        length("a name", name, 1, Self::MAX_CHARS)?;
        text::visible("The name", name)?;
        Ok(Self(name.to_owned()))
    }

    /// A name for somebody whose name is unknown: the address before its `@`, if that can be a name.
    #[must_use]
    pub fn of_address(email: &str) -> Self {
        let local = email.rsplit_once('@').map_or("", |(local, _)| local);
        Self::parse(local).unwrap_or_else(|_| Self("New user".to_owned()))
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
        length("a reason", reason, 1, Self::MAX_CHARS)?;
        text::visible("The reason", reason)?;
        Ok(Self(reason.to_owned()))
    }

    #[must_use]
    pub fn into_text(self) -> String {
        self.0
    }
}

/// The id that another system has for a user: 1–255 characters, [`text::visible`], compared byte by byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExternalId(String);

impl ExternalId {
    pub const MAX_CHARS: usize = 255;

    pub fn parse(raw: &str) -> Result<Self, Violation> {
        length("an external id", raw, 1, Self::MAX_CHARS)?;
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
                Violation::new(ViolationKind::GreaterThanEqual, "Enter an age of 0 or more").with(json!({"ge": 0})),
            );
        }
        match i16::try_from(raw) {
            Ok(age) if age <= Self::MAX => Ok(Self(age)),
            _ => Err(
                Violation::new(ViolationKind::LessThanEqual, "Enter an age of 150 or less")
                    .with(json!({"le": Self::MAX})),
            ),
        }
    }

    #[must_use]
    pub fn years(self) -> i16 {
        self.0
    }
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
