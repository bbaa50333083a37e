//! Where settings come from: flags before the environment.

use std::{collections::HashMap, fmt};

use super::{ConfigError, parse};

/// A setting's name, what it means, and a value to copy.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    pub name: &'static str,
    pub about: &'static str,
    pub example: &'static str,
}

const fn setting(name: &'static str, about: &'static str, example: &'static str) -> Setting {
    Setting { name, about, example }
}

/// Every setting there is.
pub const SETTINGS: [Setting; 27] = [
    setting("DATABASE_URL", "PostgreSQL or SQLite", parse::DATABASE_URL_EXAMPLE),
    setting(
        "REDIS_URL",
        "The queue and shared rate limits",
        "redis://localhost:6379",
    ),
    setting("API_ADDR", "Where the public API listens", "127.0.0.1:8000"),
    setting("ADMIN_ADDR", "Where the admin listens", "127.0.0.1:8001"),
    setting(
        "METRICS_ADDR",
        "Where metrics and the worker's health are served",
        "127.0.0.1:9000",
    ),
    setting("API_URL", "The API's public address", "https://api.example.org"),
    setting("ADMIN_URL", "The admin's public address", "https://admin.example.org"),
    setting("APP_URL", "Where links in mails lead", "https://app.example.org"),
    setting(
        "PRODUCT_NAME",
        "What people know the product by, in mails and authenticator apps",
        "Acme",
    ),
    setting(
        "SMTP_URL",
        "The mail server; without it mail is kept in the database",
        "smtp://user:secret@mail.example.org:587?tls=required",
    ),
    setting("MAIL_FROM", "The sender of mails", "\"Usher <usher@example.org>\""),
    setting("SECRET_KEY", "32 bytes or more, base64", parse::SECRET_KEY_EXAMPLE),
    setting(
        "SECRET_KEY_OLD",
        "Keys accepted beside SECRET_KEY while it is replaced, separated by commas",
        parse::SECRET_KEY_EXAMPLE,
    ),
    setting(
        "SIGN_UP",
        "Whether users can be made without a credential: open or closed",
        "closed",
    ),
    setting(
        "STAFF_MFA",
        "Whether staff need a second factor: optional or required",
        "required",
    ),
    setting(
        "TRUSTED_PROXIES",
        "CIDRs whose forwarding header is believed",
        "10.0.0.0/8,192.168.0.0/16",
    ),
    setting(
        "RATE_LIMITS",
        "on, off, or quotas that differ from the built-in ones",
        "log-in=20/min,key=6000/min",
    ),
    setting(
        "EMAIL_ALLOW_SPECIAL_DOMAINS",
        "Accept .test, .local and the like: on or off",
        "off",
    ),
    setting(
        "CORS_ORIGINS",
        "Origins whose pages may call the API",
        "https://app.example.org,https://www.example.org",
    ),
    setting("LOG_FORMAT", "text or json", "json"),
    setting(
        "OTEL_EXPORTER_OTLP_ENDPOINT",
        "Where traces go, by OTLP over HTTP; without it none are kept",
        "http://localhost:4318",
    ),
    setting(
        "OTEL_EXPORTER_OTLP_HEADERS",
        "Headers for the collector, separated by commas",
        "x-tenant=usher",
    ),
    setting("OTEL_SERVICE_NAME", "This process in traces", "usher-api"),
    setting(
        "OTEL_TRACES_SAMPLER_ARG",
        "Which part of the traces that begin here is kept, 0 to 1",
        "0.1",
    ),
    setting("USHER_SUPERUSER_EMAIL", "The first superuser", "admin@example.com"),
    setting(
        "USHER_SUPERUSER_PASSWORD",
        "The first superuser's password",
        "\"four uncommon words together\"",
    ),
    setting(
        "USHER_API_KEY",
        "The first API key",
        "uak_<30 characters>_<checksum>, as `usher key create` prints it",
    ),
];

/// The flag that overrides a setting: `DATABASE_URL` is `--database-url`.
#[must_use]
pub fn flag_name(setting: &str) -> String {
    setting.to_ascii_lowercase().replace('_', "-")
}

/// Values by the setting's name.
#[derive(Clone, Default)]
pub struct Source(HashMap<String, String>);

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Source {
    /// The environment, overridden by `--flag value` and `--flag=value` of the command line.
    pub fn process() -> Result<Self, ConfigError> {
        Ok(Self::environment().and(Self::flags(std::env::args().skip(1))?))
    }

    #[must_use]
    pub fn environment() -> Self {
        #[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
        let read = |setting: &Setting| {
            std::env::var(setting.name)
                .ok()
                .map(|value| (setting.name.to_owned(), value))
        };
        Self(SETTINGS.iter().filter_map(read).collect())
    }

    /// Reads flags; what is no setting is an error that names the ones there are.
    pub fn flags(args: impl IntoIterator<Item = String>) -> Result<Self, ConfigError> {
        let mut values = HashMap::new();
        let mut args = args.into_iter();
        while let Some(arg) = args.next() {
            let (flag, given) = match arg.split_once('=') {
                Some((flag, value)) => (flag, Some(value.to_owned())),
                None => (arg.as_str(), None),
            };
            let setting = SETTINGS
                .iter()
                .find(|s| flag.strip_prefix("--").is_some_and(|flag| flag == flag_name(s.name)));
            let Some(setting) = setting else {
                return Err(ConfigError {
                    name: "DATABASE_URL",
                    problem: format!("and the other settings are the only flags here; {flag} is none of them"),
                    example: parse::DATABASE_URL_EXAMPLE,
                });
            };
            let Some(value) = given.or_else(|| args.next()) else {
                return Err(ConfigError {
                    name: setting.name,
                    problem: format!("is missing after {flag}"),
                    example: setting.example,
                });
            };
            values.insert(setting.name.to_owned(), value);
        }
        Ok(Self(values))
    }

    /// A source with these values, for programs and tests that have their own.
    #[must_use]
    pub fn of<'a>(values: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        Self(
            values
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
        )
    }

    /// This source overridden by another.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }

    pub(super) fn parse<T>(
        &self,
        name: &'static str,
        read: impl FnOnce(&str) -> Result<T, String>,
    ) -> Result<Option<T>, ConfigError> {
        match self
            .0
            .get(name)
            .map(|value| value.trim())
            .filter(|value| !value.is_empty())
        {
            Some(value) => read(value).map(Some).map_err(|problem| error(name, problem)),
            None => Ok(None),
        }
    }

    pub(super) fn missing(&self, name: &'static str) -> ConfigError {
        error(name, "is not set".to_owned())
    }
}

fn error(name: &'static str, problem: String) -> ConfigError {
    let example = SETTINGS
        .iter()
        .find(|setting| setting.name == name)
        .map_or("", |setting| setting.example);
    ConfigError { name, problem, example }
}
