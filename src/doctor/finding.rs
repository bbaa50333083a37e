//! What the checks find, and how it is printed.

use std::fmt::Display;

use anyhow::{Result, bail};
use serde_json::json;

use crate::output;

/// What a check of `doctor` finds, in a few words. Those of a warning and of what is wrong end with what to do. What is
/// wrong makes the command fail; a warning is for an operator to judge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    Ok(String),
    Warning(String),
    Wrong(String),
}

/// For checks that never warn.
impl From<String> for Finding {
    fn from(text: String) -> Self {
        Self::Ok(text)
    }
}

/// For checks that can fail.
impl<T: Into<Self>, E: Display> From<Result<T, E>> for Finding {
    fn from(result: Result<T, E>) -> Self {
        result.map_or_else(|error| Self::Wrong(format!("{error:#}")), Into::into)
    }
}

/// Each part of the installation and its state.
#[derive(Default)]
pub(super) struct Findings(Vec<(&'static str, Finding)>);

impl Findings {
    pub fn add(&mut self, part: &'static str, state: impl Into<Finding>) {
        self.0.push((part, state.into()));
    }

    /// All of them, in the order in which they were found.
    #[cfg(test)]
    pub fn parts(&self) -> &[(&'static str, Finding)] {
        &self.0
    }

    /// Prints the findings. Fails if a part is wrong.
    pub fn report(&self, json: bool) -> Result<()> {
        let wrong = self.0.iter().filter(|(_, state)| matches!(state, Finding::Wrong(_)));
        let wrong = wrong.count();
        let mut parts = vec![];
        for (part, state) in &self.0 {
            let (word, mark, text) = match state {
                Finding::Ok(text) => ("ok", "ok", text),
                Finding::Warning(text) => ("warning", "warn", text),
                Finding::Wrong(text) => ("wrong", "WRONG", text),
            };
            if json {
                parts.push(json!({"part": part, "ok": word != "wrong", "state": word, "text": text}));
            } else {
                output::line(format_args!("{mark:<6} {part:<13} {text}"));
            }
        }
        if json {
            output::json(&json!({"ok": wrong == 0, "parts": parts}));
        }
        if wrong > 0 {
            let need = if wrong == 1 { "needs" } else { "need" };
            bail!("{wrong} of {} parts {need} attention", self.0.len());
        }
        Ok(())
    }
}
