//! Prometheus' text format.

use std::fmt::Write;

/// The header of a metric; `form` is `counter`, `gauge` or `histogram`.
pub fn head(text: &mut String, name: &str, form: &str, help: &str) {
    let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {form}");
}
