//! The operations of the API.

use super::{
    entity::enum_name,
    shape::{Column, Model},
};
use crate::generate::fields::Kind;

const FILE: &str = include_str!("../templates/model/api.rs.template");

pub(super) fn file(model: &Model) -> String {
    let shown = model.columns(|column| format!("{}{}", serialized(column), field(column, &shown(model, column))));
    let new = model.columns(|column| field(column, &sent(model, column)));
    let filtered = |column: &&Column| matches!(column.field.kind, Kind::Enum(_) | Kind::User | Kind::Model(_));
    let filters = names(model.columns.iter().filter(filtered));
    let sorts = names(
        model
            .columns
            .iter()
            .filter(|column| column.field.kind == Kind::DateTime),
    );
    let enums = model.columns(|column| match column.field.kind {
        Kind::Enum(_) => format!(", {}", enum_name(model, column)),
        _ => String::new(),
    });
    let enums = if enums.is_empty() {
        String::new()
    } else {
        format!("::{{self{enums}}}")
    };
    let reference = model.columns.iter().find(|column| column.field.kind.is_reference());
    let on_missing = reference.map(|column| format!(".on_missing(\"{}\")", column.name()));
    let has = |wanted: Kind| model.columns.iter().any(|column| column.field.kind == wanted);
    let values = [
        ("shown", shown.as_str()),
        ("new", &new),
        (
            "filters",
            &if filters.is_empty() {
                filters
            } else {
                format!(", filters({filters})")
            },
        ),
        ("sorts", &if sorts.is_empty() { sorts } else { format!(", {sorts}") }),
        ("enums", &enums),
        ("OnConstraint", if reference.is_some() { ", OnConstraint" } else { "" }),
        ("on_missing", &on_missing.unwrap_or_default()),
        ("Text", if has(Kind::String) { ", Text" } else { "" }),
        ("Lines", if has(Kind::Text) { ", Lines" } else { "" }),
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

fn names<'a>(columns: impl Iterator<Item = &'a Column>) -> String {
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
        Kind::Enum(_) => &enum_name(model, column),
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
