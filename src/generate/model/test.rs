//! The tests, which pass at once.

use anyhow::{Context, Result};

use super::shape::{Column, Model};
use crate::generate::{changes::fill, fields::Kind};

const FILE: &str = include_str!("../templates/model/test.rs.template");

pub(super) fn file(model: &Model) -> Result<String> {
    let values = values(model)?;
    let person = model.if_any(|kind| *kind == Kind::User, PERSON);
    let uses_project = !person.is_empty() || values.contains("(project)");
    let (changed, value) = change(model);
    let shown = match model.first(|kind| *kind == Kind::String) {
        Some(column) => format!("\"{}\"", sample(model, column)),
        None => "&id.to_string()".to_owned(),
    };
    let given = [
        ("values", values.as_str()),
        ("person", person),
        ("project", if uses_project { "project" } else { "_project" }),
        ("changed", &changed),
        ("value", &value),
        ("refusals", &refusals(model)),
        ("shown", &shown),
    ];
    Ok(model.fill(&fill(FILE, &given), &[]))
}

/// The fields of a new object, as JSON.
fn values(model: &Model) -> Result<String> {
    let lines = model.columns.iter().map(|column| {
        let value = value(model, column)?;
        Ok(format!("        \"{}\": {value},\n", column.name()))
    });
    lines.collect()
}

/// Tests of what is refused, where the model has a field for it.
fn refusals(model: &Model) -> String {
    let required = model.columns.iter().find(|column| !column.field.optional);
    let required = required.map(|column| model.fill(REQUIRED, &[("required", &column.name())]));
    let reference = model.first(Kind::is_reference);
    let reference = reference.map(|column| model.fill(REFERENCE, &[("reference", &column.name())]));
    required.into_iter().chain(reference).collect()
}

const PERSON: &str = "    let ada = project.person(\"Ada Lovelace\", \"{{name}}@example.org\").await;\n";
const REQUIRED: &str = "
#[on_both]
async fn {{a_name}}_without_its_{{required}}_is_refused(db: TestDb) {
    let project = TestProject::open(project(), db).await;
    let key = project.key(&[WRITE]).await;
    let mut lacking = new(&project).await;
    lacking.as_object_mut().expect(\"an object\").remove(\"{{required}}\");
    assert_eq!(key.post(\"{{path}}\", &lacking).await.status, 422);
}
";

const REFERENCE: &str = "
#[on_both]
async fn {{a_name}}_with_a_wrong_{{reference}}_is_refused(db: TestDb) {
    let project = TestProject::open(project(), db).await;
    let key = project.key(&[WRITE]).await;
    let mut wrong = new(&project).await;
    wrong[\"{{reference}}\"] = json!(999_999);
    assert_eq!(key.post(\"{{path}}\", &wrong).await.status, 422);
}
";

/// The value that a new object has in the tests.
fn value(model: &Model, column: &Column) -> Result<String> {
    Ok(match (&column.field.kind, &column.target) {
        (Kind::String | Kind::Text, _) => format!("\"{}\"", sample(model, column)),
        (Kind::Integer, _) => "7".to_owned(),
        (Kind::Bool, _) => "true".to_owned(),
        (Kind::DateTime, _) => "\"2030-01-31T12:00:00.000000Z\"".to_owned(),
        (Kind::Enum(words), _) => format!("\"{}\"", words[0].snake()),
        (Kind::User, _) => "ada.user.id".to_owned(),
        (Kind::Model(_), Some(target)) if target.has_test => {
            format!("crate::{}::{}(project).await", target.table, target.module)
        }
        (Kind::Model(_), _) if column.field.optional => "null".to_owned(),
        (Kind::Model(name), _) => Err(anyhow::anyhow!(name.snake().to_owned())).context(
            "the tests of this model have no function that creates one, as generated ones have; let the field be \
             empty",
        )?,
    })
}

fn sample(model: &Model, column: &Column) -> String {
    format!("{} of the {}", column.field.name.sentence(), model.name.words())
}

/// A field, and another value for it.
fn change(model: &Model) -> (String, String) {
    let changed = model.columns.iter().find_map(|column| {
        let value = match &column.field.kind {
            Kind::String | Kind::Text => "\"Something else\"".to_owned(),
            Kind::Integer => "8".to_owned(),
            Kind::Bool => "false".to_owned(),
            Kind::Enum(words) => format!("\"{}\"", words[words.len() - 1].snake()),
            Kind::DateTime => "\"2031-01-31T12:00:00.000000Z\"".to_owned(),
            Kind::User | Kind::Model(_) => return None,
        };
        Some((column.name(), value))
    });
    changed.unwrap_or_else(|| ("id".to_owned(), "created[\"id\"]".to_owned()))
}
