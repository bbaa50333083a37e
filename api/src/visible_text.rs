//! How the document tells of text that people see; the rule is `usher_shared::rules::text`.

use serde_json::json;
use usher_shared::rules::{ExternalId, Name, Reason};
use utoipa::openapi::schema::{Object, ObjectBuilder, SchemaType, Type};

/// What the pattern of allowed categories lets through although it has no shape: letters and marks that fill a place, and
/// variation selectors behind what has one shape only.
const NOT: &str = concat!(
    "[\u{34f}\u{115f}\u{1160}\u{17b4}\u{17b5}\u{3164}\u{ffa0}]",
    "|(^|[\\p{Zs}\\p{M}\\p{Lu}\\p{Ll}\\p{Lt}\\p{Lm}])[\u{180b}-\u{180d}\u{180f}\u{fe00}-\u{fe0f}\u{e0100}-\u{e01ef}]",
    "|^[\\p{Zs}\u{2800}]*$",
);

/// The name of somebody.
pub(crate) fn name() -> Object {
    trimmed("", Name::MAX_CHARS, "Ada Lovelace").build()
}

/// The name of a key.
pub(crate) fn key_name() -> Object {
    trimmed("What it is for. ", Name::MAX_CHARS, "billing").build()
}

/// The name of a device; null for none.
pub(crate) fn device_label() -> Object {
    optional(trimmed(
        "By which you tell your devices apart; a second one of the same label gets a number. ",
        Name::MAX_CHARS,
        "Phone",
    ))
}

/// Why something is done; null for no reason.
pub(crate) fn reason() -> Object {
    let about = "For staff and the audit log; the user does not see it. ";
    optional(trimmed(about, Reason::MAX_CHARS, "Chargeback of order 4711"))
}

/// The id that another system knows a person by.
pub(crate) fn external_id() -> Object {
    text(&format!("^{FIRST}{ANY}*$"), "crm-4711")
        .min_length(Some(1))
        .max_length(Some(ExternalId::MAX_CHARS))
        .description(Some(format!("The other system's id. {RULE}")))
        .build()
}

const RULE: &str = "Something in it can be seen, and nothing hides or turns text: no control, bidirectional, private-use or \
    unassigned characters; joiners and selectors only where a script or an emoji needs them.";
const FIRST: &str = r"\p{Zs}*[\p{L}\p{N}\p{P}\p{S}]";
const ANY: &str = r"[\p{L}\p{M}\p{N}\p{P}\p{S}\p{Zs}]";

/// The pattern counts the characters: a `maxLength` would count the white space around them, too.
fn trimmed(about: &str, max: usize, example: &str) -> ObjectBuilder {
    text(&format!(r"^\s*{FIRST}{ANY}{{0,{}}}\s*$", max - 1), example)
        .min_length(Some(1))
        .description(Some(format!("{about}1–{max} characters after trimming. {RULE}")))
}

fn text(pattern: &str, example: &str) -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .pattern(Some(pattern))
        .examples([json!(example)])
        .extensions(Some([("not", json!({ "pattern": NOT }))].into_iter().collect()))
}

fn optional(text: ObjectBuilder) -> Object {
    text.schema_type(SchemaType::from_iter([Type::String, Type::Null]))
        .build()
}
