//! What a generator is about to write: all of it or, if something is in the way, nothing.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, ensure};

use crate::output;

/// Files to create and to edit, by their paths within `root`.
pub(super) struct Changes {
    root: PathBuf,
    files: Vec<Change>,
    /// Lines to add by hand, because their place wasn't found.
    by_hand: Vec<String>,
}

struct Change {
    path: String,
    text: String,
    is_new: bool,
}

impl Changes {
    pub(super) fn within(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
            files: vec![],
            by_hand: vec![],
        }
    }

    /// Creates a file; an existing one is refused.
    pub(super) fn create(&mut self, path: impl Into<String>, text: impl Into<String>) -> Result<()> {
        let (path, text) = (path.into(), text.into());
        ensure!(!self.exists(&path), "{path} already exists; nothing was changed");
        let text = if path.ends_with(".rs") {
            self.formatted(text)
        } else {
            text
        };
        self.files.push(Change {
            path,
            text,
            is_new: true,
        });
        Ok(())
    }

    /// Edits a file. If the edit doesn't find its place, `line` is what to add by hand.
    pub(super) fn edit(&mut self, path: &str, line: &str, edit: impl FnOnce(&str) -> Option<String>) -> Result<()> {
        let before = self.read(path)?;
        let Some(after) = edit(&before) else {
            self.by_hand.push(format!("{path}: {line}"));
            return Ok(());
        };
        if after == before {
            return Ok(());
        }
        let is_formatted = path.ends_with(".rs") && self.formatted(before.clone()) == before;
        let after = if is_formatted { self.formatted(after) } else { after };
        match self.files.iter_mut().find(|change| change.path == path) {
            Some(change) => change.text = after,
            None => self.files.push(Change {
                path: path.to_owned(),
                text: after,
                is_new: false,
            }),
        }
        Ok(())
    }

    /// Whether the file is there, or is about to be.
    pub(super) fn exists(&self, path: &str) -> bool {
        self.files.iter().any(|change| change.path == path) || self.root.join(path).exists()
    }

    /// The file as it is about to be.
    pub(super) fn read(&self, path: &str) -> Result<String> {
        match self.files.iter().find(|change| change.path == path) {
            Some(change) => Ok(change.text.clone()),
            None => fs::read_to_string(self.root.join(path)).with_context(|| format!("cannot read {path}")),
        }
    }

    /// Writes everything, and prints what was created and edited.
    pub(super) fn write(self) -> Result<()> {
        for change in &self.files {
            let path = self.root.join(&change.path);
            let written = path.parent().map_or(Ok(()), fs::create_dir_all);
            let written = written.and_then(|()| fs::write(&path, &change.text));
            written.with_context(|| format!("cannot write {}", path.display()))?;
            output::line(format_args!(
                "{:8} {}",
                if change.is_new { "created" } else { "edited" },
                change.path
            ));
        }
        if !self.by_hand.is_empty() {
            output::line("\nAdd by hand, because the place for it wasn't found:");
            self.by_hand
                .iter()
                .for_each(|line| output::line(format_args!("  {line}")));
        }
        Ok(())
    }

    /// Rust code as rustfmt has it; unchanged if there is no rustfmt.
    fn formatted(&self, code: String) -> String {
        rustfmt(&self.root, &code).unwrap_or(code)
    }
}

fn rustfmt(folder: &Path, code: &str) -> Option<String> {
    let mut rustfmt = Command::new("rustfmt");
    rustfmt.args(["--edition", "2024", "--quiet"]).current_dir(folder);
    let piped = rustfmt
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let mut running = piped.spawn().ok()?;
    running.stdin.take()?.write_all(code.as_bytes()).ok()?;
    let output = running.wait_with_output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    (output.status.success() && !text.is_empty()).then_some(text)
}

/// A template with its placeholders, such as `{{name}}`, replaced.
pub(super) fn fill(template: &str, values: &[(&str, &str)]) -> String {
    values.iter().fold(template.to_owned(), |text, (name, value)| {
        text.replace(&format!("{{{{{name}}}}}"), value)
    })
}

/// The text between two others; nothing if it is empty.
pub(super) fn between(before: &str, text: &str, after: &str) -> String {
    if text.is_empty() {
        return String::new();
    }
    format!("{before}{text}{after}")
}

/// The text with a line added behind the last one that starts with `prefix`, and behind what belongs to that one; it is
/// indented in the same way.
pub(super) fn after_last(text: &str, prefix: &str, line: &str) -> Option<String> {
    let lines: Vec<_> = text.lines().collect();
    let last = lines.iter().rposition(|old| old.trim_start().starts_with(prefix))?;
    let indentation = &lines[last][..lines[last].len() - lines[last].trim_start().len()];
    let belongs = |line: &&&str| {
        let rest = line.strip_prefix(indentation).unwrap_or_default();
        rest.starts_with([' ', ')'])
    };
    let end = last + 1 + lines[last + 1..].iter().take_while(belongs).count();
    Some(with_line(&lines, end, &format!("{indentation}{line}")))
}

/// The text with a line added at this position.
pub(super) fn with_line(lines: &[&str], at: usize, line: &str) -> String {
    let (before, after) = lines.split_at(at);
    let all = before.iter().chain([&line]).chain(after);
    all.fold(String::new(), |text, line| text + line + "\n")
}
