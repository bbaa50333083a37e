//! `usher new`: the folder of a new product.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, ensure};

use super::{
    changes::{Changes, fill},
    names,
};
use crate::output;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The folder to create; its last part is the product's name, such as helpdesk
    #[arg(value_name = "NAME")]
    folder: PathBuf,
    #[command(flatten)]
    source: Source,
}

/// Where the product gets Usher from.
#[derive(Debug, clap::Args)]
struct Source {
    /// Depend on the Usher in this folder
    #[arg(long, value_name = "FOLDER", conflicts_with_all = ["git", "version"])]
    path: Option<PathBuf>,
    /// Depend on the Usher in this Git repository
    #[arg(long, value_name = "URL", conflicts_with = "version")]
    git: Option<String>,
    /// With --git: this tag
    #[arg(long, requires = "git", conflicts_with_all = ["path", "version"])]
    tag: Option<String>,
    /// Depend on this version of Usher. Without any of these options it is the repository that this program was built
    /// from, if it is still there, or else the program's version
    #[arg(long)]
    version: Option<String>,
}

/// Each file of a product, with its template.
const FILES: [(&str, &str); 13] = [
    ("Cargo.toml", include_str!("templates/new/Cargo.toml.template")),
    ("src/lib.rs", include_str!("templates/new/lib.rs.template")),
    ("src/main.rs", include_str!("templates/new/main.rs.template")),
    ("tests/it/main.rs", include_str!("templates/new/tests.rs.template")),
    ("README.md", include_str!("templates/new/README.md.template")),
    (TEST, include_str!("templates/new/test.template")),
    (CI, include_str!("templates/new/ci.template")),
    ("Dockerfile", include_str!("templates/new/Dockerfile.template")),
    (
        "docker-compose.yml",
        include_str!("templates/new/docker-compose.yml.template"),
    ),
    (".env.example", include_str!("templates/new/env.example.template")),
    (".dockerignore", include_str!("templates/new/dockerignore.template")),
    (".gitignore", include_str!("templates/new/gitignore.template")),
    ("rustfmt.toml", include_str!("templates/new/rustfmt.toml.template")),
];
const TEST: &str = "test";
const CI: &str = ".ci/run";
const LOCK: &str = "Cargo.lock";

/// Creates the product and prints what to do next.
pub(crate) fn run(args: &Args) -> Result<()> {
    let name = name_of(&args.folder)?;
    ensure!(
        args.folder.is_dir() || args.folder.symlink_metadata().is_err(),
        "{} is a file, not a folder; remove it or choose another name",
        args.folder.display()
    );
    ensure!(
        is_free(&args.folder),
        "{} already exists and isn't empty; nothing was changed",
        args.folder.display()
    );
    let usher = args.source.folder()?;
    let changes = files(&name, args, usher.as_deref())?;
    output::line(format_args!("Creating {}\n", args.folder.display()));
    changes.write()?;
    for script in [TEST, CI] {
        make_executable(&args.folder.join(script))?;
    }
    output::line(fill(NEXT, &[("folder", &args.folder.display().to_string())]));
    if usher.is_some() {
        output::line(LOCAL);
    }
    Ok(())
}

fn files(name: &str, args: &Args, usher: Option<&Path>) -> Result<Changes> {
    let values = [
        ("name", name),
        ("crate", &name.replace('-', "_")),
        ("title", &names::title(name)),
        ("usher", &args.source.dependency("", usher)),
        ("usher-test", &args.source.dependency("testkit/product", usher)),
    ];
    let mut changes = Changes::within(&args.folder);
    for (path, template) in FILES {
        changes.create(path, fill(template, &values))?;
    }
    // The versions that Usher is tested with, which are likely to be downloaded already.
    if let Some(lock) = usher.and_then(|usher| fs::read_to_string(usher.join(LOCK)).ok()) {
        changes.create(LOCK, lock)?;
    }
    Ok(changes)
}

const LOCAL: &str = "
The product uses the Usher in a folder of this machine. Before you build an image, name a version or a Git repository
in Cargo.toml.";

const NEXT: &str = "
Next:
  cd {{folder}}
  cargo run      # starts the API, the admin and the worker, and prints their addresses
  ./test         # runs the tests on SQLite and PostgreSQL

Then add a model, with its table, API, admin and tests:
  cargo run -- generate model ticket subject:string body:text requester:user";

fn name_of(folder: &Path) -> Result<String> {
    let name = folder.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let mut letters = name.chars();
    ensure!(
        letters.next().is_some_and(|first| first.is_ascii_lowercase())
            && letters.all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit() || "-_".contains(letter)),
        "{name:?} can't be the name of a product: use lower-case letters, digits and hyphens, starting with a letter, \
         such as helpdesk"
    );
    let krate = name.replace('-', "_");
    let is_taken = TAKEN.split_whitespace().any(|taken| taken == krate) || krate.starts_with("usher_");
    ensure!(
        !names::is_keyword(&krate) && !is_taken,
        "{name:?} can't be the name of a product: it already has a meaning in Rust, or is the name of another crate"
    );
    ensure!(
        !is_device(name),
        "{name:?} can't be the name of a product: Windows has a device of this name"
    );
    ensure!(
        name.len() <= 40,
        "{name:?} is too long for a name: use at most 40 characters"
    );
    Ok(name.to_owned())
}

/// Names that mean something to Rust and Cargo, and those of crates that a product uses.
const TAKEN: &str = "usher test core std alloc proc_macro it deps build examples incremental axum chrono sea_orm serde \
                     serde_json utoipa utoipa_axum";

/// Whether Windows refuses files of this name.
fn is_device(name: &str) -> bool {
    let port = name.strip_prefix("com").or_else(|| name.strip_prefix("lpt"));
    let is_port = port.is_some_and(|port| port.len() == 1 && port.starts_with(|digit: char| digit.is_ascii_digit()));
    is_port || ["aux", "con", "nul", "prn"].contains(&name)
}

/// Whether there is no such folder, or an empty one.
fn is_free(folder: &Path) -> bool {
    match fs::read_dir(folder) {
        Ok(mut entries) => entries.next().is_none(),
        Err(_) => !folder.exists(),
    }
}

/// Whether it is a copy of Usher's repository, rather than of its package.
fn is_repository(folder: &Path) -> bool {
    folder.join("testkit/product/Cargo.toml").is_file()
}

impl Source {
    /// The folder of `--path`, as the product's Cargo.toml names it, or the one that this program was built from.
    fn folder(&self) -> Result<Option<PathBuf>> {
        let Some(path) = &self.path else {
            let is_named = self.git.is_some() || self.version.is_some();
            let own = Path::new(env!("CARGO_MANIFEST_DIR"));
            return Ok((!is_named && is_repository(own)).then(|| own.to_owned()));
        };
        let folder = path.canonicalize();
        let folder = folder.with_context(|| format!("--path: there is no folder {}", path.display()))?;
        ensure!(
            is_repository(&folder),
            "--path: {} isn't a copy of Usher's repository",
            path.display()
        );
        Ok(Some(folder))
    }

    /// The requirement of one of Usher's crates, which lies in `within` of the repository.
    fn dependency(&self, within: &str, folder: Option<&Path>) -> String {
        if let Some(folder) = folder {
            let path = if within.is_empty() {
                folder.to_owned()
            } else {
                folder.join(within)
            };
            return format!("{{ path = {:?} }}", path.display().to_string());
        }
        match (&self.git, &self.tag) {
            (Some(url), Some(tag)) => format!("{{ git = {url:?}, tag = {tag:?} }}"),
            (Some(url), None) => format!("{{ git = {url:?} }}"),
            (None, _) => format!("{:?}", self.version.as_deref().unwrap_or(env!("CARGO_PKG_VERSION"))),
        }
    }
}

#[cfg(unix)]
fn make_executable(path: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755))
        .with_context(|| format!("cannot change {}", path.display()))
}

#[cfg(not(unix))]
fn make_executable(_: &Path) -> Result<()> {
    Ok(())
}
