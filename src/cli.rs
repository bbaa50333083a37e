//! The command line: which commands there are, and every setting as a flag.

use anyhow::Result;
use clap::{Arg, CommandFactory, FromArgMatches, Parser, Subcommand};
use usher_shared::foundation::config::{Config, Mode, SETTINGS, Source, flag_name};

use crate::{doctor, keys, migrate, reseal, room, say, seed, staff, up};

/// A user service: public API, staff admin and background worker.
#[derive(Debug, Parser)]
#[command(name = "usher", version, about, max_term_width = 100)]
struct Cli {
    /// Without a command: up
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run API, admin and worker in one process; needs nothing else
    Up,
    /// Run the public API
    Api,
    /// Run the staff admin
    Admin,
    /// Run a background worker
    Worker(room::WorkerArgs),
    /// Bring the database's schema up to date, or back
    Migrate(migrate::Args),
    /// Accounts of staff
    #[command(subcommand)]
    Staff(staff::Command),
    /// Keys of other services
    #[command(subcommand)]
    Key(keys::Command),
    /// Fill the database with realistic users, sessions, jobs and audit rows
    Seed(seed::Args),
    /// Print the OpenAPI document
    Openapi,
    /// Check settings, database, schema, Redis, mail server, workers and jobs
    Doctor(doctor::Args),
    /// Seal second factors anew with SECRET_KEY, so that those of SECRET_KEY_OLD can be dropped
    Reseal(reseal::Args),
}

/// Reads the command line; ends the process on `--help`, `--version` and mistakes.
pub fn parse() -> (Command, Source) {
    let settings = SETTINGS.map(|setting| {
        Arg::new(setting.name)
            .long(flag_name(setting.name))
            .value_name("VALUE")
            .help(format!("{} [env: {}]", setting.about, setting.name))
            .help_heading("Settings")
            .hide_short_help(true)
            .global(true)
    });
    let matches = Cli::command()
        .args(settings)
        .after_help("Every setting is an environment variable and a flag: `usher --help` lists them.")
        .get_matches();
    // What was written in front of a command holds behind it as well.
    let mut innermost = &matches;
    while let Some((_, inner)) = innermost.subcommand() {
        innermost = inner;
    }
    let given = |name: &'static str| innermost.get_one::<String>(name).map(|value| (name, value.as_str()));
    let source = Source::environment().and(Source::of(SETTINGS.iter().filter_map(|setting| given(setting.name))));
    let cli = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    (cli.command.unwrap_or(Command::Up), source)
}

pub async fn run(command: Command, source: Source) -> Result<()> {
    let command_config = || Config::read(Mode::Command, &source);
    match command {
        Command::Up => up::run(Config::read(Mode::Up, &source)?).await,
        Command::Api => room::api(Config::read(Mode::Room, &source)?).await,
        Command::Admin => room::admin(Config::read(Mode::Room, &source)?).await,
        Command::Worker(args) => room::worker(Config::read(Mode::Room, &source)?, args).await,
        Command::Migrate(args) => migrate::run(&command_config()?, &args).await,
        Command::Staff(command) => staff::run(&command_config()?, command).await,
        Command::Key(command) => keys::run(&command_config()?, command).await,
        Command::Seed(args) => seed::run(&command_config()?, &args).await,
        Command::Doctor(args) => doctor::run(command_config()?, &args).await,
        Command::Reseal(args) => reseal::run(&command_config()?, &args).await,
        Command::Openapi => {
            say::line(serde_json::to_string_pretty(&usher_api::openapi())?);
            Ok(())
        }
    }
}
