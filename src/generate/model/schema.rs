//! The table.

use std::iter;

use super::shape::{Column, Model};
use crate::generate::fields::Kind;

/// `CREATE TABLE`, and the indexes that lists, filters and foreign keys want.
pub(super) fn up(model: &Model) -> String {
    let own = model.columns.iter().map(|column| (column.name(), definition(column)));
    let time = |name: &str| (name.to_owned(), "{time} NOT NULL".to_owned());
    let version = ("version".to_owned(), "integer NOT NULL DEFAULT 1".to_owned());
    let all: Vec<_> = iter::once(("id".to_owned(), "{id}".to_owned()))
        .chain(own)
        .chain([version, time("created_at"), time("updated_at")])
        .collect();
    let width = all.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
    let lines: Vec<_> = all
        .iter()
        .map(|(name, kind)| format!("        {name:width$} {kind}"))
        .collect();
    let table = model.plural.snake();
    let indexes = model.columns.iter().filter(|column| is_indexed(column)).map(|column| {
        let column = column.name();
        format!("\n    CREATE INDEX {table}_{column}_idx ON {table} ({column}, id);")
    });
    format!(
        "CREATE TABLE {table} (\n{}\n    );{}",
        lines.join(",\n"),
        indexes.collect::<String>()
    )
}

/// Columns that the API or the admin sorts or filters by.
fn is_indexed(column: &Column) -> bool {
    matches!(
        column.field.kind,
        Kind::DateTime | Kind::Enum(_) | Kind::User | Kind::Model(_)
    )
}

fn definition(column: &Column) -> String {
    let kind = match &column.field.kind {
        Kind::String | Kind::Text | Kind::Enum(_) => "text",
        Kind::Integer | Kind::User | Kind::Model(_) => "bigint",
        Kind::Bool => "boolean",
        Kind::DateTime => "{time}",
    };
    let null = if column.field.optional { "" } else { " NOT NULL" };
    format!("{kind}{null}{}", constraint(column))
}

/// The words that an enum holds; what a row refers to, and what becomes of it when that is deleted.
fn constraint(column: &Column) -> String {
    let on_delete = if column.field.optional { "SET NULL" } else { "CASCADE" };
    let references = |table: &str| format!(" REFERENCES {table} (id) ON DELETE {on_delete}");
    match (&column.field.kind, &column.target) {
        (Kind::User, _) => references("users"),
        (_, Some(target)) => references(&target.table),
        (Kind::Enum(words), _) => {
            let words: Vec<_> = words.iter().map(|word| format!("'{}'", word.snake())).collect();
            format!(" CHECK ({} IN ({}))", column.name(), words.join(", "))
        }
        _ => String::new(),
    }
}
