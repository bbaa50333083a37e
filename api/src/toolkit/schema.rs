//! How the document tells of text that people see; the rule is `usher_shared::foundation::rules::text`.

use serde_json::json;
use usher_shared::foundation::rules::{Name, Reason, SPECIAL_DOMAINS};
use utoipa::openapi::schema::{KnownFormat, Object, SchemaFormat, SchemaType, Type};

/// A user's name.
pub(crate) fn name() -> Object {
    trimmed("", Name::MAX_CHARS, "Ada Lovelace")
}

/// The name of a key.
pub(crate) fn key_name() -> Object {
    trimmed("What it is for. ", Name::MAX_CHARS, "billing")
}

/// The name of a device; null for none.
pub(crate) fn device_label() -> Object {
    let about = "By which you tell your devices apart; a second one of the same label gets a number. ";
    optional(trimmed(about, Name::MAX_CHARS, "Phone"))
}

/// JSON Schema says of an email only that it is one; that special-use domains are refused needs a `not`, for which
/// utoipa has no builder.
pub(crate) fn email() -> Object {
    let refused = format!(r"\.({})$", SPECIAL_DOMAINS.join("|"));
    let mut schema = Object::with_type(Type::String);
    schema.format = Some(SchemaFormat::KnownFormat(KnownFormat::Email));
    schema.max_length = Some(254);
    let about = "An address that mail reaches, so none of a special-use domain such as `.test` or `.local` unless the \
        installation allows them. The domain is lower-cased; addresses that differ in letter case only are the same.";
    schema.description = Some(about.to_owned());
    schema.example = Some(json!("ada@example.com"));
    schema.extensions = Some([("not", json!({ "pattern": refused }))].into_iter().collect());
    schema
}

/// Why something is done; null for no reason.
pub(crate) fn reason() -> Object {
    let about = "For staff and the audit log; the user does not see it. ";
    optional(trimmed(about, Reason::MAX_CHARS, "Chargeback of order 4711"))
}

const RULE: &str = "At least one visible character; no control, bidirectional, private-use or unassigned characters; joiners \
    and selectors only where a script or an emoji needs them.";
// No more than every engine knows (RE2, ECMA-262, Python): what else is refused is in Unicode's tables, for which they
// have no common word.
const FIRST: &str = r"[^\s\x00-\x1f\x7f-\x9f]";
const ANY: &str = r"[^\x00-\x1f\x7f-\x9f]";

/// The pattern counts the characters: a `maxLength` would count the white space around them, too.
fn trimmed(about: &str, max: usize, example: &str) -> Object {
    let mut schema = Object::with_type(Type::String);
    schema.min_length = Some(1);
    schema.pattern = Some(format!(r"^\s*{FIRST}{ANY}{{0,{}}}\s*$", max - 1));
    schema.description = Some(format!("{about}1–{max} characters after trimming. {RULE}"));
    schema.example = Some(json!(example));
    schema
}

fn optional(mut text: Object) -> Object {
    text.schema_type = SchemaType::from_iter([Type::String, Type::Null]);
    text
}
