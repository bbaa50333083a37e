//! `generate migration`: one more step of an app's schema.

use anyhow::{Result, ensure};
use usher_shared::foundation::time::now;

use super::{
    app,
    changes::{Changes, fill},
    names::Name,
    product::Product,
};
use crate::output;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The app, such as tickets
    app: String,
    /// What it does to the schema, such as add_priority
    name: String,
}

const FILE: &str = include_str!("templates/migrations.rs.template");
const STEP: &str = include_str!("templates/migration.rs.template");

/// A step that runs, and does nothing yet.
const EMPTY: Sql<'_> = Sql {
    up: "-- ALTER TABLE … ADD COLUMN … text;",
    down: "-- ALTER TABLE … DROP COLUMN …;",
};

/// What a step does, and what undoes it.
pub(super) struct Sql<'a> {
    pub(super) up: &'a str,
    pub(super) down: &'a str,
}

pub(super) fn run(args: &Args) -> Result<()> {
    let (app, name) = (Name::parse(&args.app)?, Name::parse(&args.name)?);
    let product = Product::find()?;
    product.require_app(app.snake())?;
    let mut changes = Changes::within(&product.root);
    add(&mut changes, app.snake(), &name, &EMPTY)?;
    changes.write()?;
    output::line(format_args!(
        "\nNext: write the SQL of {} in {}. `cargo run -- migrate up` applies it.",
        name.upper(),
        path(app.snake()),
    ));
    Ok(())
}

/// Adds a step at the end of an app's list, and the list if this is its first.
pub(super) fn add(changes: &mut Changes, app: &str, name: &Name, sql: &Sql<'_>) -> Result<()> {
    let (path, constant) = (path(app), name.upper());
    if !changes.exists(&path) {
        changes.create(&path, fill(FILE, &[("app", app)]))?;
        app::declare_module(changes, &app::path(app), "mod", "migrations")?;
        let call = ".migrations(migrations::ALL)";
        changes.edit(&app::path(app), call, |code| {
            app::with_call(code, "fn app() -> App", ".migrations(", call)
        })?;
    }
    let taken = changes.read(&path)?.contains(&format!("const {constant}:"));
    ensure!(
        !taken,
        "{app} already has a migration {}; nothing was changed",
        name.snake()
    );
    let id = format!("m{}_{}", now().format("%Y%m%d_%H%M%S"), name.snake());
    let values = [
        ("CONSTANT", constant.as_str()),
        ("id", &id),
        ("up", sql.up),
        ("down", sql.down),
    ];
    let step = fill(STEP, &values);
    changes.edit(&path, &step, |code| with_step(code, &constant, &step))
}

fn path(app: &str) -> String {
    format!("src/{app}/migrations.rs")
}

/// The list with one more name, and the step itself at the end of the file.
fn with_step(code: &str, constant: &str, step: &str) -> Option<String> {
    let start = code.find("ALL: &[SqlMigration]")?;
    let end = start + code[start..].find("];")?;
    let before = code[..end].trim_end().trim_end_matches(',');
    let comma = if before.ends_with('[') { "" } else { ", " };
    Some(format!("{before}{comma}{constant}{}\n{step}", &code[end..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_added_at_the_end() {
        let file = fill(FILE, &[("app", "tickets")]);
        let one = with_step(&file, "A", "const A;\n").unwrap();
        let two = with_step(&one, "B", "const B;\n").unwrap();
        assert!(two.contains("= &[A, B];\n\nconst A;\n\nconst B;\n"), "{two}");
    }
}
