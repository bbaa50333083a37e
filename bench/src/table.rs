//! Figures, as a table for people or JSON for machines.

use std::{
    borrow::Cow,
    io::{self, Write},
};

use anyhow::{Result, ensure};

/// One figure with the conditions it holds under.
pub struct Figure {
    pub on: String,
    pub what: Cow<'static, str>,
    pub value: f64,
    pub unit: &'static str,
    /// What to compare with, such as the limit of what it stands on.
    pub beside: String,
    pub goal: Option<Goal>,
}

/// What a figure has to reach.
#[derive(Clone, Copy)]
pub enum Goal {
    AtLeast(f64),
    AtMost(f64),
}

impl Figure {
    /// Whether it reaches its goal; without one it does.
    pub fn is_good(&self) -> bool {
        match self.goal {
            Some(Goal::AtLeast(goal)) => self.value >= goal,
            Some(Goal::AtMost(goal)) => self.value <= goal,
            None => true,
        }
    }

    fn verdict(&self) -> String {
        let verdict = match self.goal {
            Some(Goal::AtLeast(goal)) => format!("goal: at least {goal}"),
            Some(Goal::AtMost(goal)) => format!("goal: at most {goal}"),
            None => String::new(),
        };
        let missed = if self.is_good() { "" } else { ", MISSED" };
        format!("{verdict}{missed}")
    }
}

/// Prints all figures, and fails when one of them misses its goal.
pub fn conclude(figures: &[Figure], json: bool) -> Result<()> {
    print(figures, json)?;
    let missed: Vec<_> = figures.iter().filter(|figure| !figure.is_good()).collect();
    let names: Vec<_> = missed
        .iter()
        .map(|figure| format!("{} ({})", figure.what.trim(), figure.on))
        .collect();
    ensure!(
        missed.is_empty(),
        "{} of {} figures miss their goal: {}",
        missed.len(),
        figures.len(),
        names.join("; ")
    );
    Ok(())
}

fn print(figures: &[Figure], json: bool) -> io::Result<()> {
    let mut out = io::stdout().lock();
    if json {
        let rows: Vec<_> = figures.iter().map(as_json).collect();
        return writeln!(out, "{:#}", serde_json::Value::from(rows));
    }
    writeln!(
        out,
        "{:<22} {:<42} {:>12} {:<6} {:<28} beside",
        "on", "figure", "value", "", "goal"
    )?;
    for figure in figures {
        let Figure {
            on,
            what,
            value,
            unit,
            beside,
            goal: _,
        } = figure;
        let verdict = figure.verdict();
        let digits = if *value < 100.0 { 2 } else { 0 };
        writeln!(
            out,
            "{on:<22} {what:<42} {value:>12.digits$} {unit:<6} {verdict:<28} {beside}"
        )?;
    }
    Ok(())
}

fn as_json(figure: &Figure) -> serde_json::Value {
    serde_json::json!({
        "on": figure.on, "figure": figure.what, "value": figure.value, "unit": figure.unit, "beside": figure.beside,
        "goal": figure.verdict(), "good": figure.is_good(),
    })
}
