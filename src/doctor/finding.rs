//! What the checks find, and how it is printed.

use std::fmt::Display;

use anyhow::{Result, bail};
use serde_json::json;

use crate::output;

/// The state of a part. A failure makes the command fail; a warning is for an operator to judge.
pub enum State {
    Ok(String),
    Warning(String),
    Wrong(String),
}

/// For checks that never warn.
impl From<String> for State {
    fn from(text: String) -> Self {
        Self::Ok(text)
    }
}

/// For checks that can fail.
impl<T: Into<Self>, E: Display> From<Result<T, E>> for State {
    fn from(result: Result<T, E>) -> Self {
        result.map_or_else(|error| Self::Wrong(error.to_string()), Into::into)
    }
}

/// Each part of the installation and its state.
#[derive(Default)]
pub struct Findings(Vec<(&'static str, State)>);

impl Findings {
    pub fn add(&mut self, part: &'static str, state: impl Into<State>) {
        self.0.push((part, state.into()));
    }

    /// Prints the findings. Fails if a part is wrong.
    pub fn report(&self, json: bool) -> Result<()> {
        let wrong = self.0.iter().filter(|(_, state)| matches!(state, State::Wrong(_)));
        let wrong = wrong.count();
        let mut parts = vec![];
        for (part, state) in &self.0 {
            let (word, mark, text) = match state {
                State::Ok(text) => ("ok", "ok", text),
                State::Warning(text) => ("warning", "warn", text),
                State::Wrong(text) => ("wrong", "WRONG", text),
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
