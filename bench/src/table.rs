//! Figures, as a table for people or JSON for machines.

use std::{
    borrow::Cow,
    io::{self, Write},
};

/// One figure with the conditions it holds under.
pub struct Figure {
    pub on: String,
    pub what: Cow<'static, str>,
    pub value: f64,
    pub unit: &'static str,
    /// What to compare with: the goal, or the limit of what it stands on.
    pub beside: String,
}

/// Prints all figures.
pub fn print(figures: &[Figure], json: bool) -> io::Result<()> {
    let mut out = io::stdout().lock();
    if json {
        let rows: Vec<_> = figures.iter().map(as_json).collect();
        return writeln!(out, "{:#}", serde_json::Value::from(rows));
    }
    writeln!(out, "{:<22} {:<42} {:>12} {:<6} beside", "on", "figure", "value", "")?;
    for figure in figures {
        let Figure {
            on,
            what,
            value,
            unit,
            beside,
        } = figure;
        let digits = if *value < 100.0 { 2 } else { 0 };
        writeln!(out, "{on:<22} {what:<42} {value:>12.digits$} {unit:<6} {beside}")?;
    }
    Ok(())
}

fn as_json(figure: &Figure) -> serde_json::Value {
    serde_json::json!({
        "on": figure.on, "figure": figure.what, "value": figure.value, "unit": figure.unit, "beside": figure.beside,
    })
}
