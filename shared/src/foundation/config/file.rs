//! Settings in a file, `config/<environment>.toml`: what neither a flag nor the environment sets.

use std::{
    collections::{BTreeMap, HashMap},
    fs, io,
    path::{Path, PathBuf},
};

use clap::error::ContextKind;
use serde_json::Value;

use super::{
    error::ConfigError,
    settings::{USHER_ENV, settings},
};
use crate::foundation::program::Program;

const FOLDER: &str = "config";

/// The settings of one environment, by name, as text.
#[derive(Debug)]
pub(super) struct SettingsFile {
    pub path: PathBuf,
    pub values: HashMap<String, String>,
}

impl SettingsFile {
    /// Where the settings of an environment are.
    pub fn path(environment: &str) -> PathBuf {
        Path::new(FOLDER).join(format!("{environment}.toml"))
    }

    /// Reads the file of an environment; `None` if there is none.
    pub fn read(environment: &str) -> Result<Option<Self>, ConfigError> {
        let path = Self::path(environment);
        match fs::read_to_string(&path) {
            Ok(text) => Self::parse(path, &text).map(Some),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(unusable(&path, format!("cannot be read: {error}"))),
        }
    }

    fn parse(path: PathBuf, text: &str) -> Result<Self, ConfigError> {
        let table: BTreeMap<String, Value> =
            basic_toml::from_str(text).map_err(|error| unusable(&path, format!("is not TOML: {error}")))?;
        let values = table.iter().map(|(key, value)| read(&path, key, value));
        let values = values.collect::<Result<_, _>>()?;
        Ok(Self { path, values })
    }

    /// Says that the value of an error is in this file, if it is.
    pub fn locate(&self, error: ConfigError) -> ConfigError {
        if self.values.contains_key(&error.name) {
            error.in_file(&self.path)
        } else {
            error
        }
    }
}

/// A setting's name and its value as text.
fn read(path: &Path, key: &str, value: &Value) -> Result<(String, String), ConfigError> {
    let name = known(key).ok_or_else(|| unknown(path, key))?;
    if name == USHER_ENV {
        return Err(ConfigError::of(
            &name,
            format!("must not be in {}, which it chooses", path.display()),
        ));
    }
    let text = text_of(value).ok_or_else(|| {
        let problem = "is neither a text, a number, true, false nor a list of those";
        ConfigError::of(&name, problem).in_file(path)
    });
    text.map(|text| (name, text))
}

/// A list is the same as its elements separated by commas.
fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        Value::Array(list) if !list.iter().any(Value::is_array) => list
            .iter()
            .map(text_of)
            .collect::<Option<Vec<_>>>()
            .map(|list| list.join(",")),
        _ => None,
    }
}

/// The name of the setting that a key stands for.
fn known(key: &str) -> Option<String> {
    let name = key.to_uppercase();
    let exists = settings()
        .get_arguments()
        .any(|arg| arg.get_env() == Some(name.as_ref()));
    (exists && key == name.to_lowercase()).then_some(name)
}

fn unusable(path: &Path, problem: String) -> ConfigError {
    ConfigError {
        name: path.display().to_string(),
        problem,
        example: r#"api_addr = "127.0.0.1:8000""#.to_owned(),
    }
}

fn unknown(path: &Path, key: &str) -> ConfigError {
    match similar(key) {
        Some(name) => {
            let problem = format!("is not a setting; use {}", name.to_lowercase());
            let error = ConfigError::of(&name, problem).in_file(path);
            ConfigError {
                name: format!("{key} in {}", path.display()),
                ..error
            }
        }
        None => {
            let program = Program::current().name;
            let problem = format!("has {key:?}, which is not a setting: `{program} --help` lists them");
            unusable(path, problem)
        }
    }
}

/// The setting that was probably meant, as clap guesses for flags.
fn similar(key: &str) -> Option<String> {
    let flag = key.to_lowercase().replace('_', "-");
    if let Some(name) = known(&key.to_lowercase()) {
        return Some(name);
    }
    let error = settings().try_get_matches_from([format!("--{flag}")]).err()?;
    let suggestion = error.get(ContextKind::SuggestedArg)?.to_string();
    known(&suggestion.trim_start_matches('-').replace('-', "_"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<HashMap<String, String>, String> {
        let file = SettingsFile::parse("config/test.toml".into(), text);
        file.map(|file| file.values).map_err(|error| error.to_string())
    }

    #[test]
    fn values_of_every_kind_become_text() {
        let read = parse(
            "# a comment\n\
             api_addr = \"127.0.0.1:8000\"\n\
             otel_traces_sampler_arg = 0.25\n\
             email_allow_special_domains = true\n\
             cors_origins = [\"https://a.example\", \"https://b.example\"]\n",
        );
        let read = read.unwrap();
        assert_eq!(read["API_ADDR"], "127.0.0.1:8000");
        assert_eq!(read["OTEL_TRACES_SAMPLER_ARG"], "0.25");
        assert_eq!(read["EMAIL_ALLOW_SPECIAL_DOMAINS"], "true");
        assert_eq!(read["CORS_ORIGINS"], "https://a.example,https://b.example");
        assert_eq!(parse("").unwrap().len(), 0);
    }

    #[test]
    fn what_cannot_be_used_is_named_in_one_line_with_its_file_and_what_to_write() {
        for (text, words) in [
            (
                "api_adr = 1",
                ["api_adr", r#"use api_addr, for example api_addr = "127"#],
            ),
            ("API_ADDR = 1", ["API_ADDR", "use api_addr"]),
            ("wholly_else = 1", ["wholly_else", "--help"]),
            ("[api]\naddr = 1", ["api in", "not a setting"]),
            ("[api_addr]\nx = 1", ["api_addr in", r#"for example api_addr = "127"#]),
            ("cors_origins = [[1]]", ["cors_origins in", "a list of those"]),
            (
                "usher_env = 'test'",
                ["USHER_ENV must not be in", "USHER_ENV=production"],
            ),
            ("\napi_addr = 127.0.0.1:8000", ["not TOML", "line 2"]),
            ("api_addr = '1'\napi_addr = '2'", ["duplicate key", "line 2"]),
        ] {
            let line = parse(text).unwrap_err();
            let words = words.iter().chain(&["config/test.toml", "for example"]);
            for word in words {
                assert!(line.contains(word) && !line.contains('\n'), "{word} is not in {line}");
            }
        }
    }

    #[test]
    fn secrets_are_not_repeated() {
        for text in [
            "secret_key = hunter2",
            "secret_key = 'hunter2",
            "secret_key = \"hunter2\\q\"",
            "hunter2",
            "secret_key = { a = 'hunter2' }",
            "secret_key = 'a' hunter2",
            "smtp_urls = 'hunter2'",
        ] {
            let line = parse(text).unwrap_err();
            assert!(!line.contains("hunter2"), "{line}");
        }
    }
}
