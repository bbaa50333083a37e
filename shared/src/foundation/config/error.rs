//! What is said of a setting that cannot be used.

use thiserror::Error;

use super::settings::settings;

/// A setting cannot be used. The text is one line and never repeats a secret.
#[derive(Debug, Error)]
#[error("{name} {problem}, for example {name}={example}")]
pub struct ConfigError {
    pub name: String,
    pub problem: String,
    pub example: String,
}

impl ConfigError {
    pub(super) fn of(name: &str, problem: impl Into<String>) -> Self {
        let all = settings();
        let setting = all.get_arguments().find(|arg| arg.get_env() == Some(name.as_ref()));
        let example = setting.and_then(|arg| arg.get_value_names()?.first());
        Self {
            name: name.to_owned(),
            problem: problem.into(),
            example: example.map(ToString::to_string).unwrap_or_default(),
        }
    }
}
