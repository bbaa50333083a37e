//! Where the values of settings come from: flags, then the environment, then a file.

use std::{collections::HashMap, error::Error, fmt};

use clap::{
    ArgMatches, Command, FromArgMatches, Parser,
    builder::ValueParser,
    error::{ContextKind, ContextValue, ErrorKind},
    parser::ValueSource,
};

use super::{
    error::ConfigError,
    file::SettingsFile,
    own::OwnSettings,
    parse,
    settings::{DEFAULT_ENVIRONMENT, Settings, USHER_ENV, settings},
};

/// Values by setting name, as text. A blank value counts as not set.
#[derive(Clone, Default)]
pub struct Source {
    values: HashMap<String, String>,
    /// Whether the file of the environment gives what is not set.
    with_file: bool,
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.values.keys()).finish()
    }
}

/// Reads the command line of a program: its own arguments, and every setting as a flag that overrides the environment.
/// Exits on `--help`, `--version` and arguments that don't exist.
#[must_use]
pub fn command_line<T: Parser>() -> (T, Source) {
    let (matches, source) = command_line_of(T::command());
    let own = T::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    (own, source)
}

/// [`command_line`] for a command that is put together at run time.
#[must_use]
pub fn command_line_of(command: Command) -> (ArgMatches, Source) {
    let matches = with_settings(command).get_matches();
    let source = Source::from_matches(&matches);
    (matches, source)
}

/// Values are checked later by [`Source::parse`], because a blank one counts as not set, which clap cannot express.
fn with_settings(command: Command) -> Command {
    let all = settings();
    let flags = all.get_arguments().map(|arg| {
        let text = arg.clone().value_parser(ValueParser::string());
        let text = text.global(true).required(false);
        text.hide_short_help(true).hide_possible_values(true)
    });
    // The last of a repeated flag holds.
    command.args(flags).args_override_self(true)
}

impl Source {
    /// The environment, and the file of settings.
    #[must_use]
    pub fn environment() -> Self {
        Self::from_matches(&with_settings(Command::new("usher")).get_matches_from(["usher"]))
    }

    /// The values given by the caller, for programs and tests that have their own.
    #[must_use]
    pub fn of<'a>(values: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        Self {
            values: values.into_iter().map(owned).collect(),
            with_file: false,
        }
    }

    /// This source overridden by another.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.values.extend(other.values);
        self.with_file |= other.with_file;
        self
    }

    /// Names and values of flags and environment variables, for a process that is started with the same settings.
    pub fn given(&self) -> impl Iterator<Item = (&str, &str)> {
        self.values.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The value of a setting that is set.
    fn get(&self, name: &str) -> Option<&str> {
        let value = self.values.get(name)?.trim();
        (!value.is_empty()).then_some(value)
    }

    /// The file for what is not set here, if there is one.
    pub(super) fn file(&self) -> Result<Option<SettingsFile>, ConfigError> {
        if !self.with_file {
            return Ok(None);
        }
        let environment = parse::environment(self.get(USHER_ENV).unwrap_or(DEFAULT_ENVIRONMENT));
        SettingsFile::read(&environment.map_err(|problem| ConfigError::of(USHER_ENV, problem))?)
    }

    /// Takes from a file what is not set here. Leaves in the file only what was taken.
    pub(super) fn complete(&mut self, file: &mut SettingsFile) {
        file.values.retain(|name, _| self.get(name).is_none());
        self.values.extend(file.values.clone());
    }

    fn from_matches(matches: &ArgMatches) -> Self {
        // A flag in front of a subcommand holds for the subcommand too.
        let mut innermost = matches;
        while let Some((_, inner)) = innermost.subcommand() {
            innermost = inner;
        }
        let value = |arg: &clap::Arg| {
            let id = arg.get_id().as_str();
            let is_given = innermost.value_source(id)? != ValueSource::DefaultValue;
            let value = innermost.get_one::<String>(id).filter(|_| is_given)?;
            Some((name_of(arg), value.clone()))
        };
        Self {
            values: settings().get_arguments().filter_map(value).collect(),
            with_file: true,
        }
    }

    pub(super) fn parse(&self) -> Result<(Settings, OwnSettings), ConfigError> {
        let command = settings().mut_args(|arg| arg.env(None::<&str>));
        let given = |arg: &clap::Arg| {
            let value = self.get(&name_of(arg))?;
            Some(format!("--{}={value}", arg.get_long().unwrap_or_default()))
        };
        let flags: Vec<_> = settings().get_arguments().filter_map(given).collect();
        let matches = command.try_get_matches_from(flags);
        matches
            .and_then(|matches| Ok((Settings::from_arg_matches(&matches)?, OwnSettings::read(&matches)?)))
            .map_err(|error| explained(&error))
    }
}

fn name_of(arg: &clap::Arg) -> String {
    let name = arg.get_env().unwrap_or_default();
    name.to_string_lossy().into_owned()
}

/// clap's error as one line, without the value, which may be a secret.
fn explained(error: &clap::Error) -> ConfigError {
    let text = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => text.clone(),
        Some(ContextValue::Strings(texts)) => texts.join(" or "),
        _ => String::new(),
    };
    let flag = text(ContextKind::InvalidArg);
    let name = flag.split([' ', '=']).next().unwrap_or_default();
    let name = name.trim_start_matches('-').replace('-', "_").to_uppercase();
    let problem = match (error.kind(), error.source()) {
        // What a product's own parser says is no sentence that begins with the name.
        (_, Some(cause)) if OwnSettings::has(&name) => format!("cannot be used: {cause}"),
        (_, Some(cause)) => cause.to_string(),
        (ErrorKind::InvalidValue, None) => {
            let value = text(ContextKind::InvalidValue);
            format!("is {value:?}, not {}", text(ContextKind::ValidValue))
        }
        (ErrorKind::MissingRequiredArgument, None) => "is not set".to_owned(),
        (kind, None) => format!("cannot be read: {kind}"),
    };
    ConfigError::of(&name, problem)
}
