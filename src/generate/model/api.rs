//! The operations of the API.

use super::shape::{Column, Model};
use crate::generate::{changes::between, fields::Kind};

const FILE: &str = include_str!("../templates/model/api.rs.template");

pub(super) fn file(model: &Model) -> String {
    let shown = model.columns(|column| format!("{}{}", serialized(column), field(column, &shown(model, column))));
    let new = model.columns(|column| field(column, &sent(model, column)));
    let filters = names(model, |kind| kind.is_reference() || matches!(kind, Kind::Enum(_)));
    let sorts = names(model, |kind| *kind == Kind::DateTime);
    let reference = model.first(Kind::is_reference).map(Column::name);
    let on_missing = reference.map(|name| format!(".await.on_missing(\"{name}\")"));
    let values = [
        ("shown", shown.as_str()),
        ("new", &new),
        ("filters", &between(", filters(", &filters, ")")),
        ("sorts", &between(", ", &sorts, "")),
        ("enums", &between("::{self", &model.enums(), "}")),
        ("await", on_missing.as_deref().unwrap_or(".await")),
        ("OnConstraint", model.if_any(Kind::is_reference, ", OnConstraint")),
        ("Text", model.if_any(|kind| *kind == Kind::String, ", Text")),
        ("Lines", model.if_any(|kind| *kind == Kind::Text, ", Lines")),
    ];
    model.fill(FILE, &values)
}

/// Times are written as all times of the API are.
fn serialized(column: &Column) -> &'static str {
    match column.field.kind {
        Kind::DateTime => "    #[serde(serialize_with = \"rfc3339\")]\n",
        _ => "",
    }
}

/// A field of a struct, with a comment where its name doesn't say all.
fn field(column: &Column, kind: &str) -> String {
    let name = column.name();
    let noun = column.noun();
    let comment = if noun.is_empty() {
        String::new()
    } else {
        format!("    /// The id of the {noun}.\n")
    };
    format!("{comment}    {name}: {kind},\n")
}

/// The names of the columns of such a kind.
fn names(model: &Model, wanted: impl Fn(&Kind) -> bool) -> String {
    let columns = model.columns.iter().filter(|column| wanted(&column.field.kind));
    columns.map(Column::name).collect::<Vec<_>>().join(", ")
}

fn optional(column: &Column, kind: &str) -> String {
    if column.field.optional {
        format!("Option<{kind}>")
    } else {
        kind.to_owned()
    }
}

/// The type of what clients see.
fn shown(model: &Model, column: &Column) -> String {
    let kind = match &column.field.kind {
        Kind::String | Kind::Text => "String",
        Kind::Integer | Kind::User | Kind::Model(_) => "i64",
        Kind::Bool => "bool",
        Kind::DateTime => "DateTime<Utc>",
        Kind::Enum(_) => &model.enum_of(column),
    };
    optional(column, kind)
}

/// The type of what clients send.
fn sent(model: &Model, column: &Column) -> String {
    match column.field.kind {
        Kind::String => optional(column, "Text<1, 200>"),
        Kind::Text => optional(column, "Lines<1, 10_000>"),
        _ => shown(model, column),
    }
}
