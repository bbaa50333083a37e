//! `generate app`: the table of contents of a new domain.

use anyhow::Result;

use super::{
    changes::{Changes, after_last, fill, with_line},
    names::Name,
    product::{Product, command},
    taken,
};
use crate::output;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The domain, such as tickets or billing
    name: String,
}

const TEMPLATE: &str = include_str!("templates/app.rs.template");
/// Where the project is put together; a product without a library does it in the program.
const LIB: &str = "src/lib.rs";
const PROGRAM: &str = "src/main.rs";

pub(super) fn run(args: &Args) -> Result<()> {
    let name = Name::parse(&args.name)?;
    let product = Product::find()?;
    let mut changes = Changes::within(&product.root);
    add(&mut changes, &name)?;
    changes.write()?;
    let (command, name) = (command(), name.snake());
    output::line(format_args!(
        "\nNext: add a model to it, such as\n  {command} model invoice number:string due_at:datetime --app {name}"
    ));
    Ok(())
}

/// Adds `src/NAME.rs` and registers it in the project.
pub(super) fn add(changes: &mut Changes, name: &Name) -> Result<()> {
    let app = name.snake();
    taken::check_app(name)?;
    let values = [("name", app), ("Name", &name.sentence())];
    changes.create(path(app), fill(TEMPLATE, &values))?;
    let project = if changes.exists(LIB) { LIB } else { PROGRAM };
    declare_module(changes, project, "pub mod", app)?;
    let call = format!(".app({app}::app())");
    changes.edit(project, &call, |lib| {
        with_call(lib, "fn project() -> Project", ".app(", &call)
    })
}

/// The file that is an app's table of contents.
pub(super) fn path(app: &str) -> String {
    format!("src/{app}.rs")
}

/// Adds `mod NAME;` beside the other modules, or before the first import.
pub(super) fn declare_module(changes: &mut Changes, path: &str, keyword: &str, module: &str) -> Result<()> {
    let line = format!("{keyword} {module};");
    changes.edit(path, &line, |code| {
        if code.lines().any(|old| old == line) {
            return Some(code.to_owned());
        }
        let is_module = |old: &&str| old.ends_with(';') && (old.starts_with("mod ") || old.starts_with("pub mod "));
        if code.lines().any(|old| is_module(&old)) {
            return Some(among(code, &line, is_module));
        }
        let lines: Vec<_> = code.lines().collect();
        let comment = lines.iter().rposition(|old| old.starts_with("//!"));
        let at = comment.map_or(0, |at| at + 1);
        let text = if comment.is_some() {
            format!("\n{line}")
        } else {
            format!("{line}\n")
        };
        Some(with_line(&lines, at, &text))
    })
}

/// Adds a line to a block of lines of its kind, in the order of the alphabet.
fn among(code: &str, line: &str, is_of_kind: impl Fn(&&str) -> bool) -> String {
    let lines: Vec<_> = code.lines().collect();
    let module = |line: &str| line.trim_start_matches("pub ").to_owned();
    let smaller = lines
        .iter()
        .rposition(|old| is_of_kind(old) && module(old) < module(line));
    let first = lines.iter().position(&is_of_kind).unwrap_or_default();
    with_line(&lines, smaller.map_or(first, |at| at + 1), line)
}

/// Imports an item of Usher, such as `worker::Policy`, beside the others.
pub(super) fn import(changes: &mut Changes, path: &str, item: &str) -> Result<()> {
    changes.edit(path, &format!("use usher::{item};"), |code| with_import(code, item))
}

fn with_import(code: &str, item: &str) -> Option<String> {
    const IMPORT: &str = "use usher::";
    let start = code.find(IMPORT)? + IMPORT.len();
    let end = start + code[start..].find(';')?;
    let (before, items, after) = (&code[..start], &code[start..end], &code[end..]);
    let name = item.rsplit("::").next()?;
    if items
        .split(|letter: char| !letter.is_alphanumeric() && letter != '_')
        .any(|word| word == name)
    {
        return Some(code.to_owned());
    }
    let items = items
        .trim_start_matches('{')
        .trim_end_matches('}')
        .trim()
        .trim_end_matches(',');
    Some(format!("{before}{{{items}, {item}}}{after}"))
}

/// Adds a call to the chain that a function returns: behind the calls of its kind, or at the end.
pub(super) fn with_call(code: &str, function: &str, kind: &str, call: &str) -> Option<String> {
    let start = code.find(function)?;
    let end = start + code[start..].find("\n}")? + 1;
    let (before, body, after) = (&code[..start], &code[start..end], &code[end..]);
    if let Some(body) = after_last(body, kind, call) {
        return Some(format!("{before}{body}{after}"));
    }
    // Nothing but a chain: the call becomes its last.
    let is_chain = !body.contains(';') && body.trim_end().ends_with(')');
    is_chain.then(|| format!("{before}{body}        {call}\n{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn imports_are_added_once() {
        let one = with_import("use usher::App;\n", "worker::Policy").unwrap();
        assert_eq!(one, "use usher::{App, worker::Policy};\n");
        assert_eq!(with_import(&one, "worker::Policy").unwrap(), one);
        assert_eq!(with_import("use other::App;\n", "worker::Policy"), None);
        let nested = "use usher::{\n    App,\n    worker::{Mailer, Policy},\n};\n";
        assert_eq!(with_import(nested, "worker::Policy").unwrap(), nested);
        let two = with_import(nested, "SqlMigration").unwrap();
        assert_eq!(two, "use usher::{App,\n    worker::{Mailer, Policy}, SqlMigration};\n");
    }

    #[test]
    fn calls_go_behind_their_like() {
        let function = "fn app() -> App";
        let empty = "pub fn app() -> App {\n    App::new(\"a\")\n}\n\nfn more() {}\n";
        let one = with_call(empty, function, ".job(", ".job(b)").unwrap();
        assert_eq!(
            one,
            "pub fn app() -> App {\n    App::new(\"a\")\n        .job(b)\n}\n\nfn more() {}\n"
        );
        let two = with_call(&one, function, ".migrations(", ".migrations(c)").unwrap();
        let three = with_call(&two, function, ".job(", ".job(d)").unwrap();
        assert!(
            three.contains("        .job(b)\n        .job(d)\n        .migrations(c)\n}"),
            "{three}"
        );
        let long = empty.replace("\"a\")", "\"a\")\n        .job(\n            b,\n        )");
        let behind = with_call(&long, function, ".job(", ".job(d)").unwrap();
        assert!(
            behind.contains("            b,\n        )\n        .job(d)\n}"),
            "{behind}"
        );
        assert_eq!(
            with_call(&long, function, ".api(", ".api(d)"),
            Some(behind.replace(".job(d)", ".api(d)"))
        );
        let other = "pub fn app() -> App {\n    let app = App::new(\"a\");\n    app\n}\n";
        assert_eq!(with_call(other, function, ".job(", ".job(b)"), None);
    }
}
