//! Which files a program is made of, and when they change.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::{sync::mpsc, time::timeout};

const FOLDERS: [&str; 4] = ["src", "templates", "migrations", "config"];
const FILES: [&str; 3] = ["Cargo.toml", "build.rs", ".env"];
/// Folders that builds and the program itself write to.
const IGNORED: [&str; 3] = ["target", "data", ".git"];

/// Editors write a file in several steps, and Git many files.
const QUIET: Duration = Duration::from_millis(100);

pub(super) struct Watcher {
    inputs: Inputs,
    notify: RecommendedWatcher,
    changes: mpsc::UnboundedReceiver<()>,
}

impl Watcher {
    /// Watches a package, and other files or folders beside it.
    pub fn new(package: &Path, others: &[PathBuf]) -> Result<Self> {
        let inputs = Inputs::new(package, others)?;
        let (sender, changes) = mpsc::unbounded_channel();
        let known = inputs.clone();
        let notify = notify::recommended_watcher(move |event: notify::Result<Event>| {
            if event.is_ok_and(|event| known.concerns(&event)) {
                // The receiver is gone only at the end.
                sender.send(()).ok();
            }
        })?;
        let mut watcher = Self {
            inputs,
            notify,
            changes,
        };
        watcher.watch()?;
        Ok(watcher)
    }

    /// Also watches folders that were created since.
    pub fn watch(&mut self) -> Result<()> {
        let Inputs { package, others } = &self.inputs;
        // The folder and not its files: an editor may put another file in the place of one.
        self.notify.watch(package, RecursiveMode::NonRecursive)?;
        let folders = FOLDERS
            .iter()
            .map(|folder| package.join(folder))
            .filter(|folder| folder.is_dir());
        for path in folders.chain(others.iter().cloned()) {
            let watched = self.notify.watch(&path, RecursiveMode::Recursive);
            watched.with_context(|| format!("cannot watch {}", path.display()))?;
        }
        Ok(())
    }

    /// Returns when something has changed.
    pub async fn change(&mut self) {
        self.changes.recv().await;
    }

    /// Returns when nothing has changed for a moment.
    pub async fn quiet(&mut self) {
        while timeout(QUIET, self.changes.recv()).await.is_ok() {}
    }
}

/// What a program is made of.
#[derive(Clone, Debug)]
struct Inputs {
    package: PathBuf,
    others: Vec<PathBuf>,
}

impl Inputs {
    fn new(package: &Path, others: &[PathBuf]) -> Result<Self> {
        let full = |path: &Path| {
            let full = path.canonicalize();
            full.with_context(|| format!("cannot watch {}", path.display()))
        };
        let others = others.iter().map(|path| full(path)).collect::<Result<_>>()?;
        Ok(Self {
            package: full(package)?,
            others,
        })
    }

    fn concerns(&self, event: &Event) -> bool {
        let is_change = !matches!(event.kind, EventKind::Access(_));
        is_change && event.paths.iter().any(|path| self.contains(path))
    }

    fn contains(&self, path: &Path) -> bool {
        if let Some(inner) = self.others.iter().find_map(|other| path.strip_prefix(other).ok()) {
            return names(inner).all(|name| !IGNORED.contains(&name) && !is_temporary(name));
        }
        let Ok(inner) = path.strip_prefix(&self.package) else {
            return false;
        };
        match names(inner).next() {
            Some(first) if FOLDERS.contains(&first) => !names(inner).any(is_temporary),
            Some(first) => FILES.contains(&first),
            None => false,
        }
    }
}

fn names(path: &Path) -> impl Iterator<Item = &str> {
    path.iter().filter_map(|name| name.to_str())
}

/// Files that editors write beside the one that is edited; 4913 is Vim's.
fn is_temporary(name: &str) -> bool {
    name.starts_with(['.', '#']) || name.ends_with('~') || name == "4913"
}

#[cfg(test)]
mod tests {
    use notify::event::{AccessKind, CreateKind, ModifyKind};

    use super::*;

    fn inputs() -> Inputs {
        Inputs {
            package: "/shop".into(),
            others: vec!["/tickets".into()],
        }
    }

    #[test]
    fn sources_templates_migrations_and_settings_are_watched() {
        for path in [
            "src/main.rs",
            "src/orders/api.rs",
            "templates/mail.html",
            "migrations/0001.sql",
            "config/development.toml",
            "Cargo.toml",
            "build.rs",
            ".env",
            "src",
        ] {
            assert!(inputs().contains(&Path::new("/shop").join(path)), "{path}");
        }
        assert!(inputs().contains(Path::new("/tickets/src/lib.rs")));
    }

    #[test]
    fn what_builds_programs_and_editors_write_is_not() {
        for path in [
            "/shop",
            "/shop/target/debug/shop",
            "/shop/data/shop.db-wal",
            "/shop/.git/index",
            "/shop/Cargo.lock",
            "/shop/README.md",
            "/shop/src/.main.rs.swp",
            "/shop/src/main.rs~",
            "/shop/src/#main.rs#",
            "/shop/src/4913",
            "/tickets/target/debug/deps/x",
            "/elsewhere/src/main.rs",
        ] {
            assert!(!inputs().contains(Path::new(path)), "{path}");
        }
    }

    #[test]
    fn reading_a_file_is_no_change() {
        let event = |kind| Event::new(kind).add_path("/shop/src/main.rs".into());
        assert!(inputs().concerns(&event(EventKind::Modify(ModifyKind::Any))));
        assert!(inputs().concerns(&event(EventKind::Create(CreateKind::File))));
        assert!(!inputs().concerns(&event(EventKind::Access(AccessKind::Any))));
    }
}
