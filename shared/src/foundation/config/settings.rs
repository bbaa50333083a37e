//! Every setting as it is given: its name, meaning, example, default and parser. `--help`, error messages and the tests
//! of `.env.example` read them from here.

use std::net::SocketAddr;

use clap::{Args, Command};
use ipnet::IpNet;

use super::{
    choices::{GraphQl, LogFormat, SignUp, StaffMfa},
    own::SettingsGroup,
    parse, traces,
};
use crate::foundation::{
    crypto::SecretKey,
    file_backend::Backend,
    rate_limit::RateLimits,
    rules::{Email, EmailPolicy},
    token::Token,
};

/// A list within one value; clap takes a plain `Vec` for a flag that may be repeated.
type List<T> = Vec<T>;

/// The setting that chooses the file of settings.
pub(super) const USHER_ENV: &str = "USHER_ENV";

/// The same for every command, as in Rails and Loco: `migrate` and `api` must not read different files.
pub(super) const DEFAULT_ENVIRONMENT: &str = "development";

/// What an option's angle brackets show in `--help` is a value to copy; error messages repeat it as the example.
/// Secrets have `hide_env_values`.
#[derive(Args)]
#[command(next_help_heading = "Settings")]
pub(super) struct Settings {
    /// Where it runs: config/<environment>.toml, if there is one, holds the settings that are not set otherwise
    #[arg(long, env = USHER_ENV, value_name = "production", default_value = DEFAULT_ENVIRONMENT)]
    #[arg(value_parser = parse::environment)]
    pub usher_env: String,
    /// PostgreSQL or SQLite
    #[arg(long, env, hide_env_values = true)]
    #[arg(value_name = "postgres://usher:secret@localhost:5432/usher or sqlite://data/usher.db")]
    #[arg(value_parser = parse::database_url)]
    pub database_url: Option<String>,
    /// Wakes workers and shares rate limits between processes
    #[arg(long, env, hide_env_values = true, value_name = "redis://localhost:6379")]
    #[arg(value_parser = parse::redis_url)]
    pub redis_url: Option<String>,
    /// Where uploaded files are kept: database, a folder, or a bucket if the program is built with S3
    #[arg(long, env, value_name = "file:///var/lib/usher/files", default_value = "database")]
    #[arg(value_parser = Backend::parse)]
    pub file_store: Backend,
    /// Where the public API listens
    #[arg(long, env, value_name = "127.0.0.1:8000", value_parser = parse::address)]
    #[arg(default_value = "127.0.0.1:8000")]
    pub api_addr: SocketAddr,
    /// Where the admin listens
    #[arg(long, env, value_name = "127.0.0.1:8001", value_parser = parse::address)]
    #[arg(default_value = "127.0.0.1:8001")]
    pub admin_addr: SocketAddr,
    /// Where metrics and the worker's health are served; off if not set
    #[arg(long, env, value_name = "127.0.0.1:9000", value_parser = parse::address)]
    pub metrics_addr: Option<SocketAddr>,
    /// The API's public address; its listening address if not set
    #[arg(long, env, value_name = "https://api.example.org", value_parser = parse::web_url)]
    pub api_url: Option<String>,
    /// The admin's public address; its listening address if not set
    #[arg(long, env, value_name = "https://admin.example.org", value_parser = parse::web_url)]
    pub admin_url: Option<String>,
    /// Where links in emails lead; the API's public address if not set
    #[arg(long, env, value_name = "https://app.example.org", value_parser = parse::web_url)]
    pub app_url: Option<String>,
    /// The product's name in emails, on pages and in authenticator apps
    #[arg(long, env, value_name = "Acme", value_parser = parse::product_name)]
    pub product_name: Option<String>,
    /// The mail server; if not set, mail is kept in the database
    #[arg(long, env, hide_env_values = true, value_parser = parse::smtp_url)]
    #[arg(value_name = "smtp://user:secret@mail.example.org:587?tls=required")]
    pub smtp_url: Option<String>,
    /// The sender of emails; usher@localhost if not set
    #[arg(long, env, value_name = "\"Usher <usher@example.org>\"", value_parser = parse::mailbox)]
    pub mail_from: Option<String>,
    /// Signs and seals: 32 bytes or more, in base64
    #[arg(long, env, hide_env_values = true, value_name = parse::SECRET_KEY_EXAMPLE)]
    #[arg(value_parser = parse::secret_key)]
    pub secret_key: Option<SecretKey>,
    /// Keys accepted beside SECRET_KEY while it is replaced, separated by commas
    #[arg(long, env, hide_env_values = true, value_name = parse::SECRET_KEY_EXAMPLE)]
    #[arg(value_parser = parse::secret_keys)]
    pub secret_key_old: Option<List<SecretKey>>,
    /// Whether anyone can sign up: open or closed. `usher up` is open, separate services are closed
    #[arg(long, env, value_name = "closed")]
    pub sign_up: Option<SignUp>,
    /// Whether superusers need two-factor authentication: optional with `usher up`, else required
    #[arg(long, env, value_name = "required")]
    pub staff_mfa: Option<StaffMfa>,
    /// CIDRs of proxies whose forwarding header is trusted
    #[arg(long, env, value_name = "10.0.0.0/8,192.168.0.0/16", value_parser = parse::networks)]
    pub trusted_proxies: Option<List<IpNet>>,
    /// on, off, or the limits that differ from the defaults
    #[arg(long, env, value_name = "log-in=20/min,key=6000/min", value_parser = RateLimits::parse)]
    pub rate_limits: Option<RateLimits>,
    /// Accept .test, .local and the like in email addresses: on or off
    #[arg(long = "email-allow-special-domains", env = "EMAIL_ALLOW_SPECIAL_DOMAINS")]
    #[arg(value_name = "off", default_value = "off", value_parser = parse::email_policy)]
    pub email_policy: EmailPolicy,
    /// Origins whose pages may call the API
    #[arg(long, env, value_name = "https://app.example.org,https://www.example.org")]
    #[arg(value_parser = parse::origins)]
    pub cors_origins: Option<List<String>>,
    /// How long events are kept, in days
    #[arg(long, env, value_name = "90", default_value = "30", value_parser = parse::days)]
    pub event_retention_days: u16,
    /// Networks that webhooks may be sent to although they are not public
    #[arg(long, env, value_name = "10.0.0.0/8,127.0.0.1/32", value_parser = parse::networks)]
    pub webhook_networks: Option<List<IpNet>>,
    /// Whether the API speaks GraphQL: off, on, or without-introspection
    #[arg(long = "graphql", env = "GRAPHQL", value_name = "on", default_value = "off")]
    pub graphql: GraphQl,
    /// text or json; if not set, text on a terminal and json elsewhere
    #[arg(long, env, value_name = "json")]
    pub log_format: Option<LogFormat>,
    /// Where traces go, by OTLP over HTTP; none are made if not set
    #[arg(long, env, value_name = "http://localhost:4318", value_parser = traces::collector)]
    pub otel_exporter_otlp_endpoint: Option<String>,
    /// Headers for the collector, separated by commas
    #[arg(long, env, hide_env_values = true, value_name = "x-tenant=usher", value_parser = traces::headers)]
    pub otel_exporter_otlp_headers: Option<traces::Headers>,
    /// This process's name in traces
    #[arg(long, env, value_name = "usher-api", value_parser = traces::service)]
    pub otel_service_name: Option<String>,
    /// The share of traces that begin here and are kept, 0 to 1
    #[arg(long, env, value_name = "0.1", default_value = "1", value_parser = traces::ratio)]
    pub otel_traces_sampler_arg: f64,
    /// The first superuser
    #[arg(long, env, value_name = "admin@example.com", default_value = "admin@example.com")]
    #[arg(value_parser = parse::email)]
    pub usher_superuser_email: Email,
    /// The first superuser's password
    #[arg(long, env, hide_env_values = true, value_name = "\"four uncommon words together\"")]
    pub usher_superuser_password: Option<String>,
    /// The first API key
    #[arg(long, env, hide_env_values = true, value_parser = parse::api_key)]
    #[arg(value_name = "uak_<30 characters>_<checksum>, as `usher key create` prints it")]
    pub usher_api_key: Option<Token>,
}

/// A command with every setting as an argument, Usher's and then the product's: `get_env` is its name,
/// `get_value_names` its example.
#[must_use]
pub fn settings() -> Command {
    built_in_settings().args(SettingsGroup::all_arguments())
}

/// The same for those that Usher brings.
#[must_use]
pub fn built_in_settings() -> Command {
    Settings::augment_args(Command::new("settings").no_binary_name(true))
}
