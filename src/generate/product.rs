//! The product that a generator works in.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use usher_shared::foundation::program::Program;

use super::{
    changes::{Changes, with_line},
    fields::TYPES,
    names::Name,
};

/// A product's folder, and the name of its crate.
pub(super) struct Product {
    pub(super) root: PathBuf,
    /// As code names it: `my_shop` of the package `my-shop`.
    pub(super) krate: String,
}

/// A model of the product that a field refers to.
pub(super) struct Target {
    pub(super) app: String,
    pub(super) module: String,
    pub(super) table: String,
    /// Whether the tests of that model have a function that creates one.
    pub(super) has_test: bool,
}

impl Product {
    /// The package around the current folder that depends on Usher.
    pub(super) fn find() -> Result<Self> {
        let here = env::current_dir().context("cannot read the current folder")?;
        let found = here.ancestors().find_map(Self::at);
        found.with_context(|| {
            format!(
                "{} isn't inside a product: no Cargo.toml there or above it depends on usher. \
                 Create a product with `usher new NAME`",
                here.display()
            )
        })
    }

    fn at(folder: &Path) -> Option<Self> {
        let manifest = fs::read_to_string(folder.join("Cargo.toml")).ok()?;
        let name = section(&manifest, "package").find_map(|line| value_of(line, "name"))?;
        let depends = section(&manifest, "dependencies").any(|line| is_dependency(line, "usher"));
        depends.then(|| Self {
            root: folder.to_owned(),
            krate: name.replace('-', "_"),
        })
    }

    /// Refuses an app that isn't there, with those that are.
    pub(super) fn require_app(&self, app: &str) -> Result<()> {
        let apps = self.apps();
        if apps.iter().any(|other| other == app) {
            return Ok(());
        }
        if apps.is_empty() {
            bail!("there is no app {app}: create it with `generate app {app}`");
        }
        bail!("there is no app {app}: this product has {}", apps.join(", "))
    }

    /// Looks for the entity of a model in the files of all apps.
    pub(super) fn model(&self, name: &Name) -> Result<Target> {
        let name = name.snake();
        for app in self.apps() {
            let code = self.read(&format!("src/{app}/{name}.rs"));
            let table = code
                .split("table_name = \"")
                .nth(1)
                .and_then(|rest| rest.split('"').next());
            if let Some(table) = table {
                let test = self.read(&format!("tests/it/{table}.rs"));
                return Ok(Target {
                    app,
                    module: name.to_owned(),
                    table: table.to_owned(),
                    has_test: test.contains(&format!("pub async fn {name}(")),
                });
            }
        }
        bail!("there is neither a type nor a model {name}; {TYPES}")
    }

    /// A file's text; empty if there is no such file.
    fn read(&self, path: &str) -> String {
        fs::read_to_string(self.root.join(path)).unwrap_or_default()
    }

    /// The names of its apps: files in `src` with a function that returns an `App`.
    fn apps(&self) -> Vec<String> {
        let files = fs::read_dir(self.root.join("src")).into_iter().flatten().flatten();
        let mut apps: Vec<_> = files.filter_map(|file| app_name(&file.path())).collect();
        apps.sort();
        apps
    }
}

fn app_name(path: &Path) -> Option<String> {
    let name = path.file_name()?.to_str()?.strip_suffix(".rs")?;
    let code = fs::read_to_string(path).ok()?;
    code.contains("fn app() -> App").then(|| name.to_owned())
}

/// How the generators are called here: `usher generate`, or `cargo run -- generate` in a product.
pub(super) fn command() -> &'static str {
    match Program::current().name {
        "usher" => "usher generate",
        _ => "cargo run -- generate",
    }
}

/// The lines of a section of a Cargo.toml.
fn section<'a>(manifest: &'a str, name: &str) -> impl Iterator<Item = &'a str> {
    let heading = format!("[{name}]");
    let lines = manifest.lines().skip_while(move |line| line.trim() != heading).skip(1);
    lines.take_while(|line| !line.starts_with('['))
}

fn value_of<'a>(line: &'a str, key: &str) -> Option<&'a str> {
    let (name, value) = line.split_once('=')?;
    (name.trim() == key).then(|| value.trim().trim_matches('"'))
}

fn is_dependency(line: &str, krate: &str) -> bool {
    let name = line.split(['=', '.']).next().unwrap_or_default();
    name.trim() == krate
}

/// What generated code needs beside Usher, as in Usher's own Cargo.toml.
pub(super) const CRATES: [(&str, &str); 7] = [
    ("axum", r#"{ version = "0.8.9", features = ["macros"] }"#),
    (
        "chrono",
        r#"{ version = "0.4", default-features = false, features = ["clock", "serde"] }"#,
    ),
    (
        "sea-orm",
        r#"{ version = "2.0.4", default-features = false, features = ["macros", "with-chrono"] }"#,
    ),
    ("serde", r#"{ version = "1", features = ["derive"] }"#),
    ("serde_json", r#""1""#),
    (
        "utoipa",
        r#"{ version = "6", features = ["axum_extras", "chrono", "uuid"] }"#,
    ),
    ("utoipa-axum", r#""0.3""#),
];

impl Changes {
    /// Adds a dependency that is missing, in the order of the alphabet. `section` is `dependencies` or
    /// `dev-dependencies`.
    pub(super) fn depend(&mut self, section: &str, krate: &str) -> Result<()> {
        let found = CRATES.iter().find(|(name, _)| *name == krate);
        let (_, requirement) = found.with_context(|| format!("no version of {krate} is known"))?;
        let line = format!("{krate} = {requirement}");
        let manual = format!("{line} in [{section}]");
        self.edit("Cargo.toml", &manual, |manifest| {
            with_dependency(manifest, section, krate, &line)
        })
    }
}

fn with_dependency(manifest: &str, section: &str, krate: &str, line: &str) -> Option<String> {
    let lines: Vec<_> = manifest.lines().collect();
    let start = 1 + lines.iter().position(|line| line.trim() == format!("[{section}]"))?;
    let entries = lines[start..]
        .iter()
        .take_while(|line| !line.starts_with('[') && !line.trim().is_empty());
    let entries: Vec<_> = entries.copied().collect();
    if entries.iter().any(|entry| is_dependency(entry, krate)) {
        return Some(manifest.to_owned());
    }
    let smaller = entries.iter().rposition(|entry| *entry < line);
    Some(with_line(&lines, start + smaller.map_or(0, |at| at + 1), line))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFEST: &str = "[package]\nname = \"acme\"\n\n[dependencies]\nanyhow = \"1\"\nusher = \"1\"\n\n[lints]\n";

    #[test]
    fn dependencies_are_added_in_order_and_once() {
        let once = with_dependency(MANIFEST, "dependencies", "serde", "serde = \"1\"").unwrap();
        assert!(
            once.contains("anyhow = \"1\"\nserde = \"1\"\nusher = \"1\"\n\n[lints]"),
            "{once}"
        );
        let again = with_dependency(&once, "dependencies", "serde", "serde = \"1\"").unwrap();
        assert_eq!(once, again);
        assert_eq!(with_dependency(MANIFEST, "dev-dependencies", "serde", ""), None);
    }

    /// What generated code depends on has the version that Usher is built with.
    #[test]
    fn versions_are_those_of_usher() {
        let own = include_str!("../../Cargo.toml");
        for (krate, requirement) in CRATES {
            let version = requirement.split('"').nth(1).unwrap();
            let line = own.lines().find(|line| is_dependency(line, krate));
            let line = line.unwrap_or_else(|| panic!("Usher doesn't depend on {krate}"));
            assert!(line.contains(&format!("\"{version}\"")), "{line}, not {requirement}");
        }
    }
}
