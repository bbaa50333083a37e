//! The admin model.

use super::shape::{Column, Model};
use crate::generate::{
    changes::between,
    fields::Kind,
    names::{Name, capitalized},
};

const FILE: &str = include_str!("../templates/model/admin.rs.template");

pub(super) fn file(model: &Model) -> String {
    let first = model.first(|kind| *kind == Kind::String).map(Column::name);
    let fields = model.columns(|column| {
        let field = field(column, Some(column.name()) == first);
        format!("            Column::{} => {field},\n", column.variant())
    });
    let tones = model.columns(|column| match &column.field.kind {
        Kind::Enum(words) => tone(&model.enum_of(column), column, words),
        _ => String::new(),
    });
    let name = model.name.snake();
    let object_type = if name.contains('_') { name } else { "" };
    let section = capitalized(&model.app.replace('_', " "));
    let values = [
        ("Section", section.as_str()),
        (
            "object_type",
            &between("\n        .object_type_of(\"", object_type, "\")"),
        ),
        ("link", if first.is_none() { ".list().link()" } else { "" }),
        ("fields", &fields),
        ("tones", &tones),
        ("tone", model.if_any(|kind| matches!(kind, Kind::Enum(_)), ", Tone")),
        ("users", model.if_any(|kind| *kind == Kind::User, ", models::Users")),
        ("enums", &model.enums()),
    ];
    model.fill(FILE, &values)
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
