//! The command line: every command, and every setting as a flag.

use anyhow::Result;
use clap::{Parser, Subcommand};
use usher_shared::{
    foundation::config::{self, Config, Mode, Source},
    run_service,
};

use crate::{api_keys, doctor, migrate, output, reseal, seed, staff, up};

/// A user service: public API, staff admin and background worker.
#[derive(Debug, Parser)]
#[command(name = "usher", version, about, max_term_width = 100)]
#[command(after_help = "Every setting is an environment variable and a flag: `usher --help` lists them.")]
struct Cli {
    /// Without a command: up
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run API, admin and worker in one process; needs no other service
    Up,
    /// Run the public API
    Api,
    /// Run the staff admin
    Admin,
    /// Run a background worker
    Worker(usher_worker::Args),
    /// Upgrade, roll back or show the database schema
    Migrate(migrate::Args),
    /// Manage staff accounts
    #[command(subcommand)]
    Staff(staff::Command),
    /// Manage API keys
    #[command(subcommand)]
    Key(api_keys::Command),
    /// Fill the database with realistic users, sessions, jobs and audit log entries
    Seed(seed::Args),
    /// Print the OpenAPI document
    Openapi,
    /// Check settings, database, schema, Redis, mail server, workers and jobs
    Doctor(doctor::Args),
    /// Re-encrypt two-factor secrets with SECRET_KEY, so that SECRET_KEY_OLD can be dropped
    Reseal(reseal::Args),
}

/// Reads the command line; exits on `--help`, `--version` and mistakes.
pub fn parse() -> (Command, Source) {
    let (Cli { command }, source) = config::command_line();
    (command.unwrap_or(Command::Up), source)
}

pub async fn run(command: Command, source: Source) -> Result<()> {
    let service_config = || Config::read(Mode::Service, &source);
    let command_config = || Config::read(Mode::Command, &source);
    match command {
        Command::Up => up::run(Config::read(Mode::Up, &source)?).await,
        Command::Api => run_service(service_config()?, "usher-api", usher_api::run).await,
        Command::Admin => run_service(service_config()?, "usher-admin", usher_admin::run).await,
        Command::Worker(args) => usher_worker::run_process(service_config()?, args.into()).await,
        Command::Migrate(args) => migrate::run(&command_config()?, &args).await,
        Command::Staff(command) => staff::run(&command_config()?, command).await,
        Command::Key(command) => api_keys::run(&command_config()?, command).await,
        Command::Seed(args) => seed::run(&command_config()?, &args).await,
        Command::Doctor(args) => doctor::run(command_config()?, &args).await,
        Command::Reseal(args) => reseal::run(&command_config()?, &args).await,
        Command::Openapi => {
            output::line(serde_json::to_string_pretty(&usher_api::openapi())?);
            Ok(())
        }
    }
}
