//! The entity, and the enums that its columns hold.

use super::shape::{Column, Model};
use crate::generate::{fields::Kind, names::Name};

const FILE: &str = include_str!("../templates/model/entity.rs.template");
const ENUM: &str = include_str!("../templates/model/enum.rs.template");

pub(super) fn file(model: &Model) -> String {
    let fields = model.columns(|column| format!("    pub {}: {},\n", column.name(), rust_type(model, column)));
    let enums = model.columns(|column| match &column.field.kind {
        Kind::Enum(words) => an_enum(model, column, words),
        _ => String::new(),
    });
    let import = if enums.is_empty() {
        ""
    } else {
        "use usher::api::ApiEnum;\n"
    };
    model.fill(FILE, &[("import", import), ("fields", &fields), ("enums", &enums)])
}

fn rust_type(model: &Model, column: &Column) -> String {
    let kind = match &column.field.kind {
        Kind::String | Kind::Text => "String".to_owned(),
        Kind::Integer | Kind::User | Kind::Model(_) => "i64".to_owned(),
        Kind::Bool => "bool".to_owned(),
        Kind::DateTime => "DateTimeUtc".to_owned(),
        Kind::Enum(_) => model.enum_of(column),
    };
    if column.field.optional {
        format!("Option<{kind}>")
    } else {
        kind
    }
}

fn an_enum(model: &Model, column: &Column, words: &[Name]) -> String {
    let variants: String = words.iter().map(|word| format!("    {},\n", word.pascal())).collect();
    let name = model.enum_of(column);
    model.fill(ENUM, &[("Enum", &name), ("variants", &variants)])
}
