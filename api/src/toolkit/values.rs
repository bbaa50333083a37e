//! The values that bodies of several resources hold, as [`Field`]s: the rule of each, and its words in the document.

use serde_json::{Value, json};
use usher_shared::foundation::rules::{Age, Email, Name, Password, Reason, SPECIAL_DOMAINS};
use utoipa::openapi::{
    Schema,
    schema::{KnownFormat, ObjectBuilder, SchemaFormat},
};

use super::{
    fields::{Field, Fields, Violations, integer, string},
    schema::{text, trimmed, whole, with_example},
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
