//! A counter for each of a few values, for rare events such as a refusal.

use std::{
    collections::BTreeMap,
    fmt::Write,
    sync::{Mutex, PoisonError},
};

use super::text::head;

/// A metric with one label, whose values come from the program.
#[derive(Debug)]
pub struct Counters {
    name: &'static str,
    help: &'static str,
    label: &'static str,
    values: Mutex<BTreeMap<String, u64>>,
}

impl Counters {
    #[must_use]
    pub fn new(name: &'static str, help: &'static str, label: &'static str) -> Self {
        Self {
            name,
            help,
            label,
            values: Mutex::default(),
        }
    }

    /// Counts one. The value must be one of a few, because each is kept until the process exits.
    pub fn count(&self, value: &str) {
        let mut values = self.values.lock().unwrap_or_else(PoisonError::into_inner);
        match values.get_mut(value) {
            Some(count) => *count += 1,
            None => drop(values.insert(value.to_owned(), 1)),
        }
    }

    /// The metric's lines.
    pub fn render(&self, text: &mut String) {
        head(text, self.name, "counter", self.help);
        for (value, count) in &*self.values.lock().unwrap_or_else(PoisonError::into_inner) {
            let _ = writeln!(text, "{}{{{}=\"{value}\"}} {count}", self.name, self.label);
        }
    }
}
