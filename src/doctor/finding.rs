//! What the checks find, and how it is printed.

use anyhow::{Result, bail};

use crate::output;

/// The state of a part. A failure makes the command fail; a warning is for an operator to judge.
pub enum State {
    Ok(String),
    Warning(String),
    Wrong(String),
}

/// A part of the installation and its state.
pub struct Finding {
    pub part: &'static str,
    pub state: State,
}

/// For checks that never warn.
impl<E: std::fmt::Display> From<Result<String, E>> for State {
    fn from(result: Result<String, E>) -> Self {
        match result {
            Ok(text) => Self::Ok(text),
            Err(error) => Self::Wrong(error.to_string()),
        }
    }
}

/// Prints the findings. Fails if a part is wrong.
pub fn report(findings: &[Finding], json: bool) -> Result<()> {
    let wrong = findings
        .iter()
        .filter(|finding| matches!(finding.state, State::Wrong(_)));
    let wrong = wrong.count();
    if json {
        let rows: Vec<_> = findings.iter().map(as_json).collect();
        output::json(&serde_json::json!({"ok": wrong == 0, "parts": rows}));
    } else {
        for Finding { part, state } in findings {
            match state {
                State::Ok(text) => output::line(format_args!("ok     {part:<12} {text}")),
                State::Warning(text) => output::line(format_args!("warn   {part:<12} {text}")),
                State::Wrong(text) => output::line(format_args!("WRONG  {part:<12} {text}")),
            }
        }
    }
    if wrong > 0 {
        let need = if wrong == 1 { "needs" } else { "need" };
        bail!("{wrong} of {} parts {need} attention", findings.len());
    }
    Ok(())
}

fn as_json(Finding { part, state }: &Finding) -> serde_json::Value {
    let (word, text) = match state {
        State::Ok(text) => ("ok", text),
        State::Warning(text) => ("warning", text),
        State::Wrong(text) => ("wrong", text),
    };
    serde_json::json!({"part": part, "ok": word != "wrong", "state": word, "text": text})
}
