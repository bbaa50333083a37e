//! How the document tells of text that people see; the rule is `usher_shared::foundation::rules::text`.

use serde_json::json;
use usher_shared::foundation::rules::{Name, Reason};
use utoipa::openapi::schema::{Object, SchemaType, Type};

/// The name of somebody.
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

/// Why something is done; null for no reason.
pub(crate) fn reason() -> Object {
    let about = "For staff and the audit log; the user does not see it. ";
    optional(trimmed(about, Reason::MAX_CHARS, "Chargeback of order 4711"))
}

const RULE: &str = "Something in it can be seen, and nothing hides or turns text: no control, bidirectional, private-use or \
    unassigned characters; joiners and selectors only where a script or an emoji needs them.";
// No more than every engine knows (RE2, ECMA-262, Python): what else is refused is in Unicode's tables, for which they have
// no common word.
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
