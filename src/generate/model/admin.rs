//! The admin model.

use super::{
    entity::enum_name,
    shape::{Column, Model},
};
use crate::generate::{
    changes::fill,
    fields::Kind,
    names::{Name, capitalized},
};

const FILE: &str = include_str!("../templates/model/admin.rs.template");

pub(super) fn file(model: &Model) -> String {
    let first = model
        .columns
        .iter()
        .find(|column| column.field.kind == Kind::String)
        .map(Column::name);
    let link = if first.is_none() { ".list().link()" } else { "" };
    let fields = model.columns(|column| {
        let is_link = Some(column.name()) == first;
        format!(
            "            Column::{} => {},\n",
            column.variant(),
            field(column, is_link)
        )
    });
    let tones = model.columns(|column| match &column.field.kind {
        Kind::Enum(words) => tone(&enum_name(model, column), column, words),
        _ => String::new(),
    });
    let has = |wanted: fn(&Kind) -> bool| model.columns.iter().any(|column| wanted(&column.field.kind));
    let users = if has(|kind| *kind == Kind::User) {
        ", models::Users"
    } else {
        ""
    };
    let tone = if tones.is_empty() { "" } else { ", Tone" };
    let section = capitalized(&model.app.replace('_', " "));
    let name = model.name.snake();
    let object_type = if name.contains('_') {
        format!("\n        .object_type_of(\"{name}\")")
    } else {
        String::new()
    };
    let values = [
        ("Section", section.as_str()),
        ("object_type", &object_type),
        ("link", link),
        ("fields", &fields),
        ("tones", &tones),
        ("users", users),
        ("tone", tone),
    ];
    let enums = model.columns(|column| match column.field.kind {
        Kind::Enum(_) => format!(", {}", enum_name(model, column)),
        _ => String::new(),
    });
    model.fill(&fill(FILE, &[("enums", &enums)]), &values)
}

fn field(column: &Column, is_link: bool) -> String {
    let name = column.name();
    match &column.field.kind {
        Kind::String if is_link => format!("Field::text(C.{name}).link().form()"),
        Kind::String => format!("Field::text(C.{name}).list().form()"),
        Kind::Text => format!("Field::long_text(C.{name}).form()"),
        Kind::Integer => format!("Field::int(C.{name}).list().form()"),
        Kind::Bool => format!("Field::bool(C.{name}).list().filter().form()"),
        Kind::DateTime => format!("Field::time(C.{name}).list().form().sort()"),
        Kind::Enum(_) => format!("Field::choice(C.{name}, {name}_tone).list().filter().form()"),
        Kind::User | Kind::Model(_) => {
            format!(
                "Field::foreign_key::<{}>(C.{name}).list().filter().form()",
                column.parent()
            )
        }
    }
}

/// How each word looks: the first as under way, the last as done.
fn tone(name: &str, column: &Column, words: &[Name]) -> String {
    let last = words.len() - 1;
    let arms = words.iter().enumerate().map(|(at, word)| {
        let tone = if at == 0 {
            "Busy"
        } else if at == last {
            "Quiet"
        } else {
            "Good"
        };
        format!("        {name}::{} => Tone::{tone},\n", word.pascal())
    });
    let (argument, arms) = (column.name(), arms.collect::<String>());
    format!("\nfn {argument}_tone({argument}: &{name}) -> Tone {{\n    match {argument} {{\n{arms}    }}\n}}\n")
}
