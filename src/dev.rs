//! `usher dev`: builds and restarts the program when a file of its package changes.

mod program;
mod watcher;

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use tokio::{
    process::Command,
    signal::unix::{SignalKind, signal},
};
use usher_shared::foundation::{config::Source, process, program::Program as ThisProgram};

use self::{program::Program, watcher::Watcher};
use crate::output;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Other files and folders to watch, such as crates that the program uses
    #[arg(long, value_name = "../tickets,../billing", value_delimiter = ',')]
    watch: Vec<PathBuf>,
    /// What to run instead of `up`
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<String>,
}

/// Ends with Ctrl-C, SIGTERM, or when the terminal closes; the program ends first. Settings that were given as flags
/// are the program's, too.
pub async fn run(args: Args, settings: &Source) -> Result<()> {
    let package = Package::here()?;
    let mut watcher = Watcher::new(&package.folder, &args.watch)?;
    let mut program = Program::new(&package.executable, args.command, settings);
    let (stop, mut hangup) = (process::shutdown_signal(), signal(SignalKind::hangup())?);
    let outcome = tokio::select! {
        outcome = restart_on_change(&package, &mut watcher, &mut program) => outcome,
        () = stop.cancelled() => Ok(()),
        _ = hangup.recv() => Ok(()),
    };
    program.stop().await;
    outcome
}

/// The program runs on while it is built anew, and when that fails.
async fn restart_on_change(package: &Package, watcher: &mut Watcher, program: &mut Program) -> Result<()> {
    loop {
        let began = Instant::now();
        output::error("Building…");
        if package.build().await? {
            let verb = if program.stop().await { "Restarted" } else { "Started" };
            program.start()?;
            output::error(format_args!("{verb} in {}", seconds(began.elapsed())));
        } else {
            output::error("The build failed. Waiting for a change…");
        }
        watcher.watch()?;
        tokio::select! {
            () = watcher.change() => {}
            status = program.ended() => {
                output::error(format_args!("The program ended ({status}). Waiting for a change…"));
                watcher.change().await;
            }
        }
        watcher.quiet().await;
    }
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

/// The package of the program that runs now.
struct Package {
    folder: PathBuf,
    executable: PathBuf,
}

impl Package {
    /// The package that `cargo run` runs, or else the one in the current folder.
    fn here() -> Result<Self> {
        let folder = std::env::var_os("CARGO_MANIFEST_DIR").map_or_else(std::env::current_dir, |path| Ok(path.into()));
        let folder = folder.context("the current folder cannot be read")?;
        if !folder.join("Cargo.toml").is_file() {
            let name = ThisProgram::current().name;
            bail!(
                "{} has no Cargo.toml; run `cargo run -- dev` in the folder of {name}'s package",
                folder.display()
            );
        }
        // Before the first build: afterwards, the file that runs now has another one in its place.
        let executable = std::env::current_exe().context("the program's own file is unknown")?;
        Ok(Self { folder, executable })
    }

    /// Whether the build succeeded; Cargo's output goes to the terminal.
    async fn build(&self) -> Result<bool> {
        let status = self.cargo_build().kill_on_drop(true).status().await;
        Ok(status.context("cannot run cargo")?.success())
    }

    /// In the current folder: Cargo looks there for its configuration, and for a relative target folder.
    fn cargo_build(&self) -> Command {
        let mut cargo = Command::new("cargo");
        cargo.args(["build", "--profile", profile(&self.executable)]);
        cargo.arg("--bin").arg(self.executable.file_name().unwrap_or_default());
        cargo.arg("--manifest-path").arg(self.folder.join("Cargo.toml"));
        // `cargo run` sets these. Build scripts that look at them would run again, and build their crates anew.
        let of_cargo_run = |name: &str| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_");
        let names = std::env::vars_os().map(|(name, _)| name);
        for name in names.filter(|name| name.to_str().is_some_and(of_cargo_run)) {
            cargo.env_remove(name);
        }
        cargo
    }
}

/// The profile that built a program, by the folder that Cargo put it in.
fn profile(executable: &Path) -> &str {
    let folder = executable.parent().and_then(Path::file_name);
    match folder.and_then(|folder| folder.to_str()) {
        None | Some("debug") => "dev",
        Some(folder) => folder,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_built_with_the_profile_that_it_was_built_with() {
        assert_eq!(profile(Path::new("/shop/target/debug/shop")), "dev");
        assert_eq!(profile(Path::new("/shop/target/release/shop")), "release");
        assert_eq!(profile(Path::new("/shop/target/quick/shop")), "quick");
    }
}
