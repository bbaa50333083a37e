//! How the document tells of text that people see; the rule is `usher_shared::rules::text`.

use serde_json::json;
use usher_shared::rules::{ExternalId, Name, Reason};
use utoipa::openapi::schema::{Object, SchemaType, Type};

/// What the pattern of allowed categories lets through although it has no shape: letters and marks that fill a place, and
/// variation selectors behind what has one shape only.
const NOT: &str = concat!(
    "[\u{34f}\u{115f}\u{1160}\u{17b4}\u{17b5}\u{3164}\u{ffa0}]",
    "|(^|[\\p{Zs}\\p{M}\\p{Lu}\\p{Ll}\\p{Lt}\\p{Lm}])[\u{180b}-\u{180d}\u{180f}\u{fe00}-\u{fe0f}\u{e0100}-\u{e01ef}]",
    "|^[\\p{Zs}\u{2800}]*$",
);

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

/// The id that another system knows a person by.
pub(crate) fn external_id() -> Object {
    let about = format!("The other system's id. {RULE}");
    let mut schema = text(format!("^{FIRST}{ANY}*$"), about, "crm-4711");
    schema.max_length = Some(ExternalId::MAX_CHARS);
    schema
}

const RULE: &str = "Something in it can be seen, and nothing hides or turns text: no control, bidirectional, private-use or \
    unassigned characters; joiners and selectors only where a script or an emoji needs them.";
const FIRST: &str = r"\p{Zs}*[\p{L}\p{N}\p{P}\p{S}]";
const ANY: &str = r"[\p{L}\p{M}\p{N}\p{P}\p{S}\p{Zs}]";

/// The pattern counts the characters: a `maxLength` would count the white space around them, too.
fn trimmed(about: &str, max: usize, example: &str) -> Object {
    text(
        format!(r"^\s*{FIRST}{ANY}{{0,{}}}\s*$", max - 1),
        format!("{about}1–{max} characters after trimming. {RULE}"),
        example,
    )
}

fn text(pattern: String, about: String, example: &str) -> Object {
    let mut schema = Object::with_type(Type::String);
    schema.min_length = Some(1);
    schema.pattern = Some(pattern);
    schema.description = Some(about);
    schema.example = Some(json!(example));
    schema.extensions = Some([("not", json!({ "pattern": NOT }))].into_iter().collect());
    schema
}

fn optional(mut text: Object) -> Object {
    text.schema_type = SchemaType::from_iter([Type::String, Type::Null]);
    text
}
