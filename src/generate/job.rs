//! `generate job`: payload, handler, registration and test of a kind of job.

use anyhow::{Result, bail};

use super::{
    app,
    changes::{Changes, fill},
    fields::{Field, Kind},
    names::Name,
    product::Product,
    taken,
};
use crate::output;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The app, such as tickets
    app: String,
    /// What the job does, such as remind_requester
    name: String,
    /// What it has to know, such as ticket:ticket or requester:user
    #[arg(value_name = "FIELD:TYPE")]
    fields: Vec<String>,
}

const JOB: &str = include_str!("templates/job.rs.template");
const TEST: &str = include_str!("templates/job_test.rs.template");

pub(super) fn run(args: &Args) -> Result<()> {
    let (app, name) = (Name::parse(&args.app)?, Name::parse(&args.name)?);
    taken::check_job(&name)?;
    let fields = Field::parse_all(&args.fields)?;
    let product = Product::find()?;
    product.require_app(app.snake())?;
    let mut changes = Changes::within(&product.root);
    add(&mut changes, &product, app.snake(), &name, &fields)?;
    changes.write()?;
    let app = app.snake();
    let job = if fields.is_empty() {
        name.pascal()
    } else {
        format!("{} {{ … }}", name.pascal())
    };
    output::line(format_args!(
        "\nNext: write what it does in {path}, and enqueue it where it's needed, in the same transaction:\n  \
         usher::jobs::enqueue(&tx, {job}).await?;\n\
         Or run it by the clock, in {app}:\n  .schedule(\"{snake}\", \"0 * * * *\", &{job})",
        path = path(app, &name),
        app = app::path(app),
        snake = name.snake(),
    ));
    Ok(())
}

fn add(changes: &mut Changes, product: &Product, app: &str, name: &Name, fields: &[Field]) -> Result<()> {
    let payload = fields.iter().map(|field| payload(field, product));
    let payload: Vec<_> = payload.collect::<Result<_>>()?;
    let declared: Vec<_> = payload
        .iter()
        .map(|(name, kind, _)| format!("    pub {name}: {kind},\n"))
        .collect();
    let given: Vec<_> = payload
        .iter()
        .map(|(name, _, value)| format!("{name}: {value}"))
        .collect();
    let user = fields.iter().find(|field| field.kind == Kind::User);
    let values = [
        ("name", name.snake()),
        ("Name", &name.pascal()),
        ("sentence", &name.sentence()),
        ("app", app),
        ("crate", &product.krate),
        ("fields", &braced(&declared.concat(), " {\n", "}", ";")),
        ("user_id", &user.map(user_id).unwrap_or_default()),
        ("values", &braced(&given.join(", "), " { ", " }", "")),
        ("person", if user.is_some() { PERSON } else { "" }),
    ];
    changes.depend("dependencies", "serde")?;
    changes.create(path(app, name), fill(JOB, &values))?;
    changes.create(format!("tests/it/{}.rs", name.snake()), fill(TEST, &values))?;
    register(changes, app, name)
}

fn register(changes: &mut Changes, app: &str, name: &Name) -> Result<()> {
    let (app, name) = (app::path(app), name.snake());
    app::declare_module(changes, &app, "pub mod", name)?;
    app::declare_module(changes, "tests/it/main.rs", "mod", name)?;
    let call = format!(".job(Policy::DEFAULT, {name}::run)");
    changes.edit(&app, &call, |code| {
        app::with_call(code, "fn app() -> App", ".job(", &call)
    })?;
    app::import(changes, &app, "worker::Policy")
}

fn path(app: &str, name: &Name) -> String {
    format!("src/{app}/{}.rs", name.snake())
}

const PERSON: &str = "    let ada = project.person(\"Ada Lovelace\", \"ada@example.org\").await;\n";

fn braced(inner: &str, open: &str, close: &str, without: &str) -> String {
    if inner.is_empty() {
        without.to_owned()
    } else {
        format!("{open}{inner}{close}")
    }
}

/// Staff find the job on the user's page.
fn user_id(field: &Field) -> String {
    let column = field.column();
    let value = if field.optional {
        format!("self.{column}")
    } else {
        format!("Some(self.{column})")
    };
    format!("\n    fn user_id(&self) -> Option<i64> {{\n        {value}\n    }}\n")
}

/// A field of the payload: its name, its type, and a value for the test.
fn payload(field: &Field, product: &Product) -> Result<(String, String, String)> {
    if let Kind::Model(name) = &field.kind {
        product.model(name)?;
    }
    let (kind, value) = match field.kind {
        Kind::String | Kind::Text => ("String", "\"a word\".to_owned()"),
        Kind::Integer => ("i64", "1"),
        Kind::Bool => ("bool", "true"),
        Kind::User => ("i64", "ada.user.id"),
        Kind::Model(_) => ("i64", "1"),
        _ => bail!(
            "{}: a job's fields are string, text, integer, bool, user, or a model; rows hold the rest",
            field.name.snake()
        ),
    };
    let (kind, value) = match field.optional {
        true => (format!("Option<{kind}>"), format!("Some({value})")),
        false => (kind.to_owned(), value.to_owned()),
    };
    Ok((field.column(), kind, value))
}
