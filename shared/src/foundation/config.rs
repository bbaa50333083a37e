//! Every setting of the application, read once at the start from the environment and from flags of the same name.
//! Whatever is missing or malformed ends the start with one line that says what to write instead.

mod parse;
mod source;
mod traces;

use std::{
    fmt, fs,
    io::Write,
    net::SocketAddr,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use ipnet::IpNet;
use thiserror::Error;

use crate::foundation::{
    crypto::SecretKey,
    rate_limit::RateLimits,
    rules::{Email, EmailPolicy, Password},
    token::{Token, TokenKind},
};

pub use source::{SETTINGS, Setting, Source, flag_name};
pub use traces::Traces;

/// What kind of process reads the settings; it decides which of them have a default.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Everything in one process on embedded parts: SQLite and the secret key live in `data/`.
    Up,
    /// One room as a process of its own.
    Room,
    /// A management command. It works on the database of [`Mode::Up`] where none is named.
    Command,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignUp {
    Open,
    Closed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StaffMfa {
    Optional,
    Required,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    Text,
    Json,
}

/// A setting cannot be used. The text is one line and never repeats a secret.
#[derive(Debug, Error)]
#[error("{name} {problem}, for example {name}={example}")]
pub struct ConfigError {
    pub name: &'static str,
    pub problem: String,
    pub example: &'static str,
}

/// The settings of one process. Some are secrets, so none is shown.
#[derive(Clone)]
pub struct Config {
    pub database_url: String,
    pub redis_url: Option<String>,
    pub api_addr: SocketAddr,
    pub admin_addr: SocketAddr,
    pub metrics_addr: Option<SocketAddr>,
    /// Public addresses for links, without a slash at the end.
    pub api_url: String,
    pub admin_url: String,
    pub app_url: String,
    /// What people know the product by: in mails, on pages and in their authenticator apps.
    pub product_name: String,
    /// None keeps mail in the database.
    pub smtp_url: Option<String>,
    pub mail_from: String,
    pub secret_key: SecretKey,
    /// Whether the key was given or kept; a command without one has a key of the moment, worth nothing.
    pub has_secret_key: bool,
    pub sign_up: SignUp,
    pub staff_mfa: StaffMfa,
    pub trusted_proxies: Vec<IpNet>,
    pub rate_limits: RateLimits,
    pub email_policy: EmailPolicy,
    pub cors_origins: Vec<String>,
    pub log_format: LogFormat,
    /// Where spans go; none where none are kept.
    pub traces: Option<Traces>,
    pub first: FirstAccounts,
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Config(…)")
    }
}

/// The superuser and the API key of an empty database; what is not given is made up and shown once.
#[derive(Clone, Debug)]
pub struct FirstAccounts {
    pub email: Email,
    pub password: Option<Password>,
    pub api_key: Option<Token>,
}

const DEFAULT_PRODUCT_NAME: &str = "Usher";

/// Where `usher up` keeps what nobody configured.
pub const DATA_FOLDER: &str = "data";

impl Config {
    /// Reads the environment of this process, overridden by the flags on its command line.
    pub fn for_process(mode: Mode) -> Result<Self, ConfigError> {
        Self::read(mode, &Source::process()?)
    }

    /// Reads settings from a source, in which an empty value counts as none.
    pub fn read(mode: Mode, source: &Source) -> Result<Self, ConfigError> {
        let api_addr = source
            .parse("API_ADDR", parse::address)?
            .unwrap_or(SocketAddr::from(([127, 0, 0, 1], 8000)));
        let admin_addr = source
            .parse("ADMIN_ADDR", parse::address)?
            .unwrap_or(SocketAddr::from(([127, 0, 0, 1], 8001)));
        let api_url = source
            .parse("API_URL", parse::web_url)?
            .unwrap_or_else(|| parse::url_of(api_addr));
        let named_database = source.parse("DATABASE_URL", parse::database_url)?;
        // A command that is told of no database is about the one of `up`, as `up` would run it.
        let up = mode == Mode::Up || (mode == Mode::Command && named_database.is_none());
        let (secret_key, has_secret_key) = secret_key(mode, source)?;
        let mail_from = source.parse("MAIL_FROM", parse::mailbox)?;
        let product_name = match source.parse("PRODUCT_NAME", parse::product_name)? {
            Some(name) => name,
            None => mail_from
                .as_deref()
                .and_then(parse::mailbox_name)
                .unwrap_or_else(|| DEFAULT_PRODUCT_NAME.to_owned()),
        };
        let email_policy = EmailPolicy {
            allow_special_domains: source
                .parse("EMAIL_ALLOW_SPECIAL_DOMAINS", parse::switch)?
                .unwrap_or(false),
        };
        let password = source.parse("USHER_SUPERUSER_PASSWORD", |text| parse::password(text, &product_name))?;
        Ok(Self {
            database_url: match (named_database, mode) {
                (Some(url), _) => url,
                (None, Mode::Up) => embedded_database()?,
                (None, Mode::Command) => known_embedded_database()?,
                (None, Mode::Room) => return Err(source.missing("DATABASE_URL")),
            },
            redis_url: source.parse("REDIS_URL", parse::redis_url)?,
            metrics_addr: source.parse("METRICS_ADDR", parse::address)?,
            admin_url: source
                .parse("ADMIN_URL", parse::web_url)?
                .unwrap_or_else(|| parse::url_of(admin_addr)),
            app_url: source
                .parse("APP_URL", parse::web_url)?
                .unwrap_or_else(|| api_url.clone()),
            smtp_url: source.parse("SMTP_URL", parse::smtp_url)?,
            product_name,
            mail_from: mail_from.unwrap_or_else(|| "usher@localhost".to_owned()),
            secret_key,
            has_secret_key,
            sign_up: source
                .parse("SIGN_UP", parse::sign_up)?
                .unwrap_or(if up { SignUp::Open } else { SignUp::Closed }),
            staff_mfa: source.parse("STAFF_MFA", parse::staff_mfa)?.unwrap_or(if up {
                StaffMfa::Optional
            } else {
                StaffMfa::Required
            }),
            trusted_proxies: source.parse("TRUSTED_PROXIES", parse::networks)?.unwrap_or_default(),
            rate_limits: source.parse("RATE_LIMITS", RateLimits::parse)?.unwrap_or_default(),
            cors_origins: source.parse("CORS_ORIGINS", parse::origins)?.unwrap_or_default(),
            log_format: source
                .parse("LOG_FORMAT", parse::log_format)?
                .unwrap_or_else(parse::default_log_format),
            traces: Traces::read(source)?,
            first: FirstAccounts {
                email: source
                    .parse("USHER_SUPERUSER_EMAIL", |text| {
                        Email::parse(text, email_policy).map_err(|v| v.message)
                    })?
                    .map_or_else(default_superuser, Ok)?,
                password,
                api_key: source.parse("USHER_API_KEY", |text| {
                    Token::parse(TokenKind::ApiKey, text).ok_or_else(|| "is not a key with a right checksum".to_owned())
                })?,
            },
            api_addr,
            admin_addr,
            api_url,
            email_policy,
        })
    }
}

impl Config {
    /// What everybody knows of this person and of the installation, which no password may be made of (NIST SP 800-63B
    /// §5.1.1.2: context-specific words).
    #[must_use]
    pub fn known_words<'a>(&'a self, person: &[&'a str]) -> Vec<&'a str> {
        let urls = [&self.api_url, &self.admin_url, &self.app_url];
        let hosts = urls.into_iter().filter_map(|url| url.split("://").nth(1));
        let product = [self.product_name.as_str(), &self.mail_from];
        person.iter().copied().chain(product).chain(hosts).collect()
    }
}

/// The key and those that it replaces; false behind it when it was made up for a command that signs and seals nothing.
fn secret_key(mode: Mode, source: &Source) -> Result<(SecretKey, bool), ConfigError> {
    let (newest, is_kept) = match source.parse("SECRET_KEY", parse::secret_key)? {
        Some(key) => (key, true),
        None if mode == Mode::Room => return Err(source.missing("SECRET_KEY")),
        None if mode == Mode::Up || secret_key_file().exists() => (embedded_secret_key()?, true),
        None => {
            let made_up = SecretKey::from_base64(&SecretKey::generate_base64());
            (made_up.map_err(own_key_error)?, false)
        }
    };
    let older = source.parse("SECRET_KEY_OLD", parse::secret_keys)?.unwrap_or_default();
    Ok((newest.accepting(older), is_kept))
}

fn default_superuser() -> Result<Email, ConfigError> {
    Email::parse("admin@example.com", EmailPolicy::default()).map_err(|violation| ConfigError {
        name: "USHER_SUPERUSER_EMAIL",
        problem: violation.message,
        example: "admin@example.com",
    })
}

fn embedded_database() -> Result<String, ConfigError> {
    data_folder()?;
    Ok(embedded_database_url())
}

fn embedded_database_url() -> String {
    format!("sqlite://{DATA_FOLDER}/usher.db")
}

/// The database of `up`, for a command: made by `up` alone, so that nobody who forgot to name another works on an empty one.
fn known_embedded_database() -> Result<String, ConfigError> {
    if Path::new(DATA_FOLDER).join("usher.db").exists() {
        return Ok(embedded_database_url());
    }
    Err(ConfigError {
        name: "DATABASE_URL",
        problem: format!("is not set, and `usher up` has made no database in {DATA_FOLDER}/ here"),
        example: parse::DATABASE_URL_EXAMPLE,
    })
}

fn secret_key_file() -> PathBuf {
    Path::new(DATA_FOLDER).join("secret.key")
}

/// The key in `data/secret.key`, made once and readable by its owner only.
fn embedded_secret_key() -> Result<SecretKey, ConfigError> {
    data_folder()?;
    let path = secret_key_file();
    let unusable = |error: String| ConfigError {
        name: "SECRET_KEY",
        problem: format!("is not set and {} cannot be used: {error}", path.display()),
        example: parse::SECRET_KEY_EXAMPLE,
    };
    if !path.exists() {
        let mut file = fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)
            .map_err(|error| unusable(error.to_string()))?;
        writeln!(file, "{}", SecretKey::generate_base64()).map_err(|error| unusable(error.to_string()))?;
    }
    let text = fs::read_to_string(&path).map_err(|error| unusable(error.to_string()))?;
    SecretKey::from_base64(&text).map_err(|problem| unusable(format!("it {problem}")))
}

fn data_folder() -> Result<(), ConfigError> {
    // Mails with links that open accounts lie in there.
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(DATA_FOLDER)
        .map_err(|error| ConfigError {
            name: "DATABASE_URL",
            problem: format!("is not set and the folder {DATA_FOLDER}/ cannot be made: {error}"),
            example: parse::DATABASE_URL_EXAMPLE,
        })
}

fn own_key_error(problem: &'static str) -> ConfigError {
    ConfigError {
        name: "SECRET_KEY",
        problem: problem.to_owned(),
        example: parse::SECRET_KEY_EXAMPLE,
    }
}
