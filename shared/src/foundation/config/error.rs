//! What is said of a setting that cannot be used.

use std::path::Path;

use thiserror::Error;

use super::settings::settings;

/// A setting cannot be used. The text is one line and never repeats a secret.
#[derive(Debug, Error)]
#[error("{name} {problem}, for example {example}")]
pub struct ConfigError {
    pub name: String,
    pub problem: String,
    /// What to write, such as `API_ADDR=127.0.0.1:8000`.
    pub example: String,
}

impl ConfigError {
    pub(super) fn of(name: &str, problem: impl Into<String>) -> Self {
        Self {
            name: name.to_owned(),
            problem: problem.into(),
            example: format!("{name}={}", example_of(name)),
        }
    }

    /// The same for a setting that was read from a file.
    pub(super) fn in_file(self, path: &Path) -> Self {
        let key = self.name.to_lowercase();
        let value = in_toml(&example_of(&self.name));
        Self {
            name: format!("{key} in {}", path.display()),
            problem: self.problem,
            example: format!("{key} = {value}"),
        }
    }
}

fn example_of(name: &str) -> String {
    let all = settings();
    let setting = all.get_arguments().find(|arg| arg.get_env() == Some(name.as_ref()));
    let example = setting.and_then(|arg| arg.get_value_names()?.first());
    example.map(ToString::to_string).unwrap_or_default()
}

/// Examples are for a shell, which takes the quotes away and runs what `$(…)` contains.
fn in_toml(example: &str) -> String {
    if example.parse::<f64>().is_ok() || example.parse::<bool>().is_ok() {
        return example.to_owned();
    }
    let text = example.trim_matches('"');
    match text.strip_prefix("$(").and_then(|text| text.strip_suffix(')')) {
        Some(command) => format!("\"<output of {command}>\""),
        None => format!("\"{text}\""),
    }
}
