//! Every setting, read once at startup from flags, from environment variables of the same name, and from the file
//! `config/<environment>.toml`: the first that gives a value counts.
//! A setting that is missing or malformed ends the start with one line that says what to write instead.

mod choices;
mod error;
mod file;
mod own;
mod parse;
mod settings;
mod source;
mod traces;

use std::{
    fmt, fs,
    io::{self, Write},
    net::SocketAddr,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use chrono::TimeDelta;
use ipnet::IpNet;

use crate::foundation::{
    crypto::SecretKey,
    file_backend::Backend,
    program::Program,
    rate_limit::RateLimits,
    rules::{Email, EmailPolicy, Password},
    token::Token,
};

pub use choices::{GraphQl, LogFormat, Mode, SignUp, StaffMfa};
pub use error::ConfigError;
pub use own::{OwnSettings, SettingsGroup, add_settings};
pub use settings::{built_in_settings, settings};
pub use source::{Source, command_line, command_line_of};
pub use traces::Traces;

/// The settings of one process. Some are secrets, so `Debug` shows none.
#[derive(Clone)]
pub struct Config {
    /// Where it runs, such as `development` or `production`.
    pub environment: String,
    /// The file that settings were read from, if there is one.
    pub settings_file: Option<PathBuf>,
    pub database_url: String,
    pub redis_url: Option<String>,
    /// Where files of the product are kept.
    pub file_store: Backend,
    pub api_addr: SocketAddr,
    pub admin_addr: SocketAddr,
    pub metrics_addr: Option<SocketAddr>,
    /// Public addresses for links, without a slash at the end.
    pub api_url: String,
    pub admin_url: String,
    pub app_url: String,
    /// The product's name in emails, on pages and in authenticator apps.
    pub product_name: String,
    /// If none is set, mail is kept in the database.
    pub smtp_url: Option<String>,
    pub mail_from: String,
    pub secret_key: SecretKey,
    /// Whether the key was set or found in `data/`. A command without one gets a random key, which opens nothing.
    pub has_secret_key: bool,
    pub sign_up: SignUp,
    pub staff_mfa: StaffMfa,
    pub trusted_proxies: Vec<IpNet>,
    pub rate_limits: RateLimits,
    pub email_policy: EmailPolicy,
    pub cors_origins: Vec<String>,
    /// How long events are kept.
    pub event_retention: TimeDelta,
    /// Where webhooks may be sent although it is not public.
    pub webhook_networks: Vec<IpNet>,
    pub graphql: GraphQl,
    pub log_format: LogFormat,
    /// Where spans go, if they are exported.
    pub traces: Option<Traces>,
    pub first: FirstAccounts,
    /// The settings of the product's apps.
    pub own: OwnSettings,
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Config(…)")
    }
}

/// The superuser and the API key of an empty database. `usher up` generates what is not set and shows it once.
#[derive(Clone, Debug)]
pub struct FirstAccounts {
    pub email: Email,
    pub password: Option<Password>,
    pub api_key: Option<Token>,
}

/// Where `usher up` keeps its database and secret key.
pub const DATA_FOLDER: &str = "data";

impl Config {
    /// Checks the values of a source and fills in the defaults.
    pub fn read(mode: Mode, source: &Source) -> Result<Self, ConfigError> {
        let Some(mut file) = source.file()? else {
            return Self::of(mode, source);
        };
        let mut source = source.clone();
        source.complete(&mut file);
        let mut config = Self::of(mode, &source).map_err(|error| file.locate(error))?;
        config.settings_file = Some(file.path);
        Ok(config)
    }

    fn of(mode: Mode, source: &Source) -> Result<Self, ConfigError> {
        let (given, own) = source.parse()?;
        // A command without a database is about the one of `usher up`, so it has its defaults too.
        let up = mode == Mode::Up || (mode == Mode::Command && given.database_url.is_none());
        let product_name = given
            .product_name
            .or_else(|| given.mail_from.as_deref().and_then(parse::mailbox_name))
            .unwrap_or_else(|| Program::current().product_name.to_owned());
        let first = FirstAccounts {
            email: Email::parse(given.usher_superuser_email.as_str(), given.email_policy).map_err(|violation| {
                ConfigError::of(
                    "USHER_SUPERUSER_EMAIL",
                    format!("is not accepted: {}", violation.message),
                )
            })?,
            password: given
                .usher_superuser_password
                .map(|text| parse::password(&text, &product_name))
                .transpose()
                .map_err(|problem| ConfigError::of("USHER_SUPERUSER_PASSWORD", problem))?,
            api_key: given.usher_api_key,
        };
        let has_secret_key = given.secret_key.is_some() || mode != Mode::Command || secret_key_file().exists();
        let secret_key = given.secret_key.map_or_else(|| default_secret_key(mode), Ok)?;
        let api_url = given.api_url.unwrap_or_else(|| parse::url_of(given.api_addr));
        Ok(Self {
            environment: given.usher_env,
            settings_file: None,
            database_url: given.database_url.map_or_else(|| default_database(mode), Ok)?,
            redis_url: given.redis_url,
            file_store: given.file_store,
            api_addr: given.api_addr,
            admin_addr: given.admin_addr,
            metrics_addr: given.metrics_addr,
            admin_url: given.admin_url.unwrap_or_else(|| parse::url_of(given.admin_addr)),
            app_url: given.app_url.unwrap_or_else(|| api_url.clone()),
            api_url,
            product_name,
            smtp_url: given.smtp_url,
            mail_from: given.mail_from.unwrap_or_else(|| "usher@localhost".to_owned()),
            secret_key: secret_key.accepting(given.secret_key_old.unwrap_or_default()),
            has_secret_key,
            sign_up: given.sign_up.unwrap_or(if up { SignUp::Open } else { SignUp::Closed }),
            staff_mfa: given
                .staff_mfa
                .unwrap_or(if up { StaffMfa::Optional } else { StaffMfa::Required }),
            trusted_proxies: given.trusted_proxies.unwrap_or_default(),
            rate_limits: given.rate_limits.unwrap_or_default(),
            email_policy: given.email_policy,
            cors_origins: given.cors_origins.unwrap_or_default(),
            event_retention: TimeDelta::days(given.event_retention_days.into()),
            webhook_networks: given.webhook_networks.unwrap_or_default(),
            graphql: given.graphql,
            log_format: given.log_format.unwrap_or_else(parse::default_log_format),
            traces: given.otel_exporter_otlp_endpoint.map(|endpoint| Traces {
                endpoint,
                headers: given.otel_exporter_otlp_headers.unwrap_or_default(),
                service: given.otel_service_name,
                ratio: given.otel_traces_sampler_arg,
            }),
            first,
            own,
        })
    }

    /// Words that a password must not be made of: those given about the person, and what everyone knows of this
    /// installation (NIST SP 800-63B §5.1.1.2, context-specific words).
    #[must_use]
    pub fn known_words<'a>(&'a self, person: &[&'a str]) -> Vec<&'a str> {
        let urls = [&self.api_url, &self.admin_url, &self.app_url];
        let hosts = urls.into_iter().filter_map(|url| url.split("://").nth(1));
        let product = [self.product_name.as_str(), &self.mail_from];
        person.iter().copied().chain(product).chain(hosts).collect()
    }
}

fn default_secret_key(mode: Mode) -> Result<SecretKey, ConfigError> {
    match mode {
        Mode::Service => Err(ConfigError::of("SECRET_KEY", "is not set")),
        Mode::Command if !secret_key_file().exists() => SecretKey::from_base64(&SecretKey::generate_base64())
            .map_err(|problem| ConfigError::of("SECRET_KEY", problem)),
        Mode::Up | Mode::Command => embedded_secret_key(),
    }
}

/// Only `usher up` creates its database: a command that was not told which one to use must not work on an empty one.
fn default_database(mode: Mode) -> Result<String, ConfigError> {
    match mode {
        Mode::Service => return Err(ConfigError::of("DATABASE_URL", "is not set")),
        Mode::Up => data_folder()?,
        Mode::Command if database_file().exists() => {}
        Mode::Command => {
            let program = Program::current().name;
            let problem = format!("is not set, and there is no database of `{program} up` in {DATA_FOLDER}/");
            return Err(ConfigError::of("DATABASE_URL", problem));
        }
    }
    Ok(format!("sqlite://{}", database_file().display()))
}

/// Named after the program, such as `data/usher.db`.
fn database_file() -> PathBuf {
    Path::new(DATA_FOLDER).join(format!("{}.db", Program::current().name))
}

fn secret_key_file() -> PathBuf {
    Path::new(DATA_FOLDER).join("secret.key")
}

/// The key in `data/secret.key`, created on first use and readable by its owner only.
fn embedded_secret_key() -> Result<SecretKey, ConfigError> {
    data_folder()?;
    let path = secret_key_file();
    let read = || -> Result<String, io::Error> {
        if !path.exists() {
            let mut options = fs::OpenOptions::new();
            let mut file = options.write(true).create_new(true).mode(0o600).open(&path)?;
            writeln!(file, "{}", SecretKey::generate_base64())?;
        }
        fs::read_to_string(&path)
    };
    let key = read().map_err(|error| error.to_string());
    key.and_then(|text| SecretKey::from_base64(&text).map_err(|problem| format!("it {problem}")))
        .map_err(|error| {
            let problem = format!("is not set and {} cannot be used: {error}", path.display());
            ConfigError::of("SECRET_KEY", problem)
        })
}

/// Only its owner may enter: emails in the database hold links that open accounts.
fn data_folder() -> Result<(), ConfigError> {
    let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(DATA_FOLDER);
    made.map_err(|error| {
        let problem = format!("is not set and the folder {DATA_FOLDER}/ cannot be created: {error}");
        ConfigError::of("DATABASE_URL", problem)
    })
}
