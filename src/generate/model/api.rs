//! The operations of the API.

use super::{Column, Kind, Model, entity::enum_name};

const FILE: &str = include_str!("../templates/model/api.rs.template");

pub(super) fn file(model: &Model) -> String {
    let shown = model.columns(|column| format!("    {}: {},\n", column.name(), shown(model, column)));
    let new = model.columns(|column| format!("    {}: {},\n", column.name(), sent(model, column)));
    let patch = model.columns(|column| format!("    {}: Patch<{}>,\n", column.name(), sent(model, column)));
    let insert = model.columns(|column| format!("        {},\n", set(column, &format!("body.{}", column.name()))));
    let update = model.columns(update);
    let filtered = |column: &&Column| matches!(column.field.kind, Kind::Enum(_) | Kind::User | Kind::Model(_));
    let filters = names(model.columns.iter().filter(filtered));
    let sorts = names(model.columns.iter().filter(|column| column.field.kind == Kind::DateTime));
    let enums = model.columns(|column| match column.field.kind {
        Kind::Enum(_) => format!(", {}", enum_name(model, column)),
        _ => String::new(),
    });
    let enums = if enums.is_empty() { String::new() } else { format!("::{{self{enums}}}") };
    let has = |wanted: Kind| model.columns.iter().any(|column| column.field.kind == wanted);
    let values = [
        ("shown", shown.as_str()),
        ("new", &new),
        ("patch", &patch),
        ("insert", &insert),
        ("update", &update),
        ("filters", &if filters.is_empty() { filters } else { format!(", filters({filters})") }),
        ("sorts", &if sorts.is_empty() { sorts } else { format!(", {sorts}") }),
        ("enums", &enums),
        ("Text", if has(Kind::String) { ", Text" } else { "" }),
        ("Lines", if has(Kind::Text) { ", Lines" } else { "" }),
    ];
    model.fill(FILE, &values)
}

fn names<'a>(columns: impl Iterator<Item = &'a Column>) -> String {
    columns.map(Column::name).collect::<Vec<_>>().join(", ")
}

fn optional(column: &Column, kind: &str) -> String {
    if column.field.optional { format!("Option<{kind}>") } else { kind.to_owned() }
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

fn is_text(column: &Column) -> bool {
    matches!(column.field.kind, Kind::String | Kind::Text)
}

/// What the column is set to, of a value that was sent.
fn set(column: &Column, value: &str) -> String {
    let value = match (is_text(column), column.field.optional) {
        (true, true) => format!("{value}.map(Into::into)"),
        (true, false) => format!("{value}.into()"),
        _ => value.to_owned(),
    };
    format!("{}: Set({value})", column.name())
}

fn update(column: &Column) -> String {
    let name = column.name();
    let set = set(column, &name).replacen(": Set", " = Set", 1);
    format!("    if let Patch(Some({name})) = body.{name} {{\n        {}.{set};\n    }}\n", "{{name}}")
}
