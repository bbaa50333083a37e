//! The values that bodies of several resources hold, as [`Field`]s: the rule of each, and its words in the document.

use chrono::{DateTime, Utc};
use sea_orm::{ActiveEnum, Iterable};
use serde_json::{Value, json};
use usher_shared::foundation::rules::{
    Age, Email, Name, Password, Reason, SPECIAL_DOMAINS, Violation, ViolationKind, text as rules,
};
use utoipa::openapi::{
    Schema, Type,
    schema::{KnownFormat, ObjectBuilder, SchemaFormat},
};

use super::{
    fields::{Field, Fields, Violations, integer, string},
    query::moment,
    schema::{lines, text, time, trimmed, trimmed_between, whole, whole_64, with_example},
};

/// Any text at all.
impl Field for String {
    fn read(value: &Value, _: &Fields<'_>) -> Result<Self, Violations> {
        Ok(string(value)?.to_owned())
    }

    fn schema() -> Schema {
        text().into()
    }
}

/// A line of text that people see: `MIN` to `MAX` characters after trimming, without control characters and what hides
/// or reverses the text around it.
///
/// ```
/// use usher_api::Text;
///
/// type Subject = Text<1, 200>;
/// assert_eq!(Subject::parse(" The lamp is out ").unwrap().as_str(), "The lamp is out");
/// assert!(Subject::parse("").is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text<const MIN: usize, const MAX: usize>(String);

impl<const MIN: usize, const MAX: usize> Text<MIN, MAX> {
    /// Checks a value.
    ///
    /// # Errors
    ///
    /// What is wrong with it, with the limit that was broken.
    pub fn parse(raw: &str) -> Result<Self, Violation> {
        bounded(raw.trim(), MIN, MAX, rules::visible).map(Self)
    }

    /// The text, trimmed.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<const MIN: usize, const MAX: usize> From<Text<MIN, MAX>> for String {
    fn from(text: Text<MIN, MAX>) -> Self {
        text.0
    }
}

impl<const MIN: usize, const MAX: usize> Field for Text<MIN, MAX> {
    fn read(value: &Value, _: &Fields<'_>) -> Result<Self, Violations> {
        Ok(Self::parse(string(value)?)?)
    }

    fn schema() -> Schema {
        trimmed_between("", MIN, MAX).into()
    }
}

/// [`Text`] of several lines, which end with a line feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lines<const MIN: usize, const MAX: usize>(String);

impl<const MIN: usize, const MAX: usize> Lines<MIN, MAX> {
    /// Checks a value.
    ///
    /// # Errors
    ///
    /// What is wrong with it, with the limit that was broken.
    pub fn parse(raw: &str) -> Result<Self, Violation> {
        let text = raw.replace("\r\n", "\n");
        bounded(text.trim(), MIN, MAX, rules::visible_lines).map(Self)
    }

    /// The text, trimmed.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<const MIN: usize, const MAX: usize> From<Lines<MIN, MAX>> for String {
    fn from(text: Lines<MIN, MAX>) -> Self {
        text.0
    }
}

impl<const MIN: usize, const MAX: usize> Field for Lines<MIN, MAX> {
    fn read(value: &Value, _: &Fields<'_>) -> Result<Self, Violations> {
        Ok(Self::parse(string(value)?)?)
    }

    fn schema() -> Schema {
        lines(MIN, MAX).into()
    }
}

fn bounded(
    text: &str,
    min: usize,
    max: usize,
    rule: fn(&str, &str) -> Result<(), Violation>,
) -> Result<String, Violation> {
    let count = text.chars().count();
    let (kind, message, context) = if count < min {
        let message = match min {
            1 => "Enter a text".to_owned(),
            _ => format!("Enter a text of at least {min} characters"),
        };
        (ViolationKind::StringTooShort, message, json!({ "min_length": min }))
    } else if count > max {
        let message = format!("Enter a text of at most {max} characters");
        (ViolationKind::StringTooLong, message, json!({ "max_length": max }))
    } else if count == 0 {
        return Ok(String::new());
    } else {
        return rule("The text", text).map(|()| text.to_owned());
    };
    Err(Violation::new(kind, message).with(context))
}

/// A whole number from `MIN` to `MAX`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Integer<const MIN: i64, const MAX: i64>(i64);

impl<const MIN: i64, const MAX: i64> Integer<MIN, MAX> {
    /// Checks a value.
    ///
    /// # Errors
    ///
    /// What is wrong with it, with the limit that was broken.
    pub fn parse(number: i64) -> Result<Self, Violation> {
        let (kind, message, context) = if number < MIN {
            let message = format!("Enter a number of {MIN} or more");
            (ViolationKind::GreaterThanEqual, message, json!({ "ge": MIN }))
        } else if number > MAX {
            let message = format!("Enter a number of {MAX} or less");
            (ViolationKind::LessThanEqual, message, json!({ "le": MAX }))
        } else {
            return Ok(Self(number));
        };
        Err(Violation::new(kind, message).with(context))
    }

    /// The number.
    #[must_use]
    pub fn get(self) -> i64 {
        self.0
    }
}

impl<const MIN: i64, const MAX: i64> From<Integer<MIN, MAX>> for i64 {
    fn from(number: Integer<MIN, MAX>) -> Self {
        number.0
    }
}

impl<const MIN: i64, const MAX: i64> Field for Integer<MIN, MAX> {
    fn read(value: &Value, _: &Fields<'_>) -> Result<Self, Violations> {
        Ok(Self::parse(integer(value)?)?)
    }

    fn schema() -> Schema {
        whole_64().minimum(Some(MIN)).maximum(Some(MAX)).into()
    }
}

/// An id of another row, or another whole number. Whether the row is there is for the foreign key to say.
impl Field for i64 {
    fn read(value: &Value, _: &Fields<'_>) -> Result<Self, Violations> {
        let number = integer(value)?;
        // What lies beyond 64 bits is read as the last number within.
        if [Self::MIN, Self::MAX].contains(&number) && value.as_i64() != Some(number) {
            let message = "Enter a number of at most 64 bits";
            return Err(Violation::new(ViolationKind::LessThanEqual, message).into());
        }
        Ok(number)
    }

    fn schema() -> Schema {
        whole_64().into()
    }
}

impl Field for bool {
    fn read(value: &Value, _: &Fields<'_>) -> Result<Self, Violations> {
        let read = value.as_bool();
        Ok(read.ok_or_else(|| Violation::new(ViolationKind::BoolParsing, "Send true or false, without quotes"))?)
    }

    fn schema() -> Schema {
        ObjectBuilder::new().schema_type(Type::Boolean).into()
    }
}

/// A time in RFC 3339, in whole microseconds.
impl Field for DateTime<Utc> {
    fn read(value: &Value, _: &Fields<'_>) -> Result<Self, Violations> {
        Ok(moment(string(value)?)?)
    }

    fn schema() -> Schema {
        time()
    }
}

/// The value of an enum that is stored as a string, by its word.
///
/// # Errors
///
/// A word that the enum doesn't have; the message lists those that it has.
pub fn parse_enum<T: ActiveEnum<Value = String> + Iterable>(word: &str) -> Result<T, Violation> {
    T::try_from_value(&word.to_owned()).map_err(|_| {
        let known = words::<T>().join(", ");
        let violation = Violation::new(ViolationKind::Enum, format!("Use one of {known}"));
        violation.with(json!({ "expected": known }))
    })
}

/// The schema of an enum that is stored as a string.
#[must_use]
pub fn enum_schema<T: ActiveEnum<Value = String> + Iterable>(about: &str) -> Schema {
    let about = Some(about).filter(|about| !about.is_empty());
    text().enum_values(Some(words::<T>())).description(about).into()
}

fn words<T: ActiveEnum<Value = String> + Iterable>() -> Vec<String> {
    T::iter().map(|value| value.to_value()).collect()
}

impl Field for Name {
    fn read(value: &Value, _: &Fields<'_>) -> Result<Self, Violations> {
        Ok(Self::parse(string(value)?)?)
    }

    fn schema() -> Schema {
        with_example(trimmed("", Self::MAX_CHARS), json!("Ada Lovelace"))
    }
}

impl Field for Reason {
    fn read(value: &Value, _: &Fields<'_>) -> Result<Self, Violations> {
        Ok(Self::parse(string(value)?)?)
    }

    fn schema() -> Schema {
        let about = "For staff and the audit log; the user does not see it. ";
        with_example(trimmed(about, Self::MAX_CHARS), json!("Chargeback of order 4711"))
    }
}

impl Field for Age {
    fn read(value: &Value, _: &Fields<'_>) -> Result<Self, Violations> {
        Ok(Self::parse(integer(value)?)?)
    }

    fn schema() -> Schema {
        let years = whole(0, Self::MAX.unsigned_abs().into());
        with_example(years.description(Some("In whole years.")), json!(36))
    }
}

impl Field for Email {
    fn read(value: &Value, fields: &Fields<'_>) -> Result<Self, Violations> {
        Ok(Self::parse(string(value)?, fields.toolkit.config.email_policy)?)
    }

    /// JSON Schema says of an email only that it is one; that special-use domains are refused needs a `not`, for which
    /// utoipa has no builder.
    fn schema() -> Schema {
        let about = "An address that mail reaches, so none of a special-use domain such as `.test` or `.local` unless \
            the installation allows them. The domain is lower-cased; addresses that differ in letter case only are the \
            same.";
        let refused = format!(r"\.({})$", SPECIAL_DOMAINS.join("|"));
        let mut schema = text()
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::Email)))
            .max_length(Some(254))
            .description(Some(about))
            .build();
        schema.extensions = Some([("not", json!({ "pattern": refused }))].into_iter().collect());
        with_example(schema, json!("ada@example.com"))
    }
}

/// A new password of the person whose name and email address are in the same body.
impl Field for Password {
    fn read(value: &Value, fields: &Fields<'_>) -> Result<Self, Violations> {
        let name: Option<Name> = fields.peek("name");
        let email: Option<Email> = fields.peek("email");
        let own = name.iter().map(Name::as_str).chain(email.iter().map(Email::as_str));
        let own: Vec<&str> = own.collect();
        Ok(Self::parse(string(value)?, &fields.toolkit.config.known_words(&own))?)
    }

    fn schema() -> Schema {
        NewPassword::schema()
    }
}

/// A new password of an account, whose words only the database knows: see `auth::acceptable`.
pub(crate) struct NewPassword(pub(crate) String);

impl Field for NewPassword {
    fn read(value: &Value, _: &Fields<'_>) -> Result<Self, Violations> {
        Ok(Self(string(value)?.to_owned()))
    }

    fn schema() -> Schema {
        let about = "12–128 characters of any kind, hard to guess, and not your name or email address.";
        let schema = secret().description(Some(about));
        let schema = schema.min_length(Some(Password::MIN_CHARS));
        with_example(schema.max_length(Some(Password::MAX_CHARS)), json!(EXAMPLE))
    }
}

/// The password that an account has, or another text that was typed in its place.
pub(crate) struct CurrentPassword(pub(crate) String);

impl Field for CurrentPassword {
    fn read(value: &Value, _: &Fields<'_>) -> Result<Self, Violations> {
        Ok(Self(string(value)?.to_owned()))
    }

    fn schema() -> Schema {
        with_example(secret(), json!(EXAMPLE))
    }
}

const EXAMPLE: &str = "velvet-Otter-72-canyon";

fn secret() -> ObjectBuilder {
    text().format(Some(SchemaFormat::KnownFormat(KnownFormat::Password)))
}
