//! The command line: every command, and every setting as a flag.

use anyhow::Result;
use clap::{ArgMatches, CommandFactory, FromArgMatches, Parser, Subcommand};
use usher_shared::{
    AppContext,
    foundation::{
        config::{self, Config, Mode, Source},
        program::Program,
    },
};

#[cfg(all(feature = "api", feature = "admin", feature = "worker"))]
use crate::generate;
use crate::{api_keys, dev, doctor, migrate, parts::Parts, reseal, seed, staff, up, users};

/// Name, version and text are the program's; see [`command`].
#[derive(Debug, Parser)]
#[command(max_term_width = 100)]
struct Cli {
    /// Without a command: up
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run API, admin and worker in one process; needs no other service
    Up,
    /// Run the program, and build and restart it when its source changes
    Dev(dev::Args),
    /// Run the public API
    #[cfg(feature = "api")]
    Api,
    /// Run the staff admin
    #[cfg(feature = "admin")]
    Admin,
    /// Run a background worker
    #[cfg(feature = "worker")]
    Worker(usher_worker::Args),
    /// Upgrade, roll back or show the database schema
    Migrate(migrate::Args),
    /// Manage staff accounts
    #[command(subcommand)]
    Staff(staff::Command),
    /// Manage API keys
    #[command(subcommand)]
    Key(api_keys::Command),
    /// Export what is stored about a person
    #[command(subcommand)]
    User(users::Command),
    /// Fill the database with realistic users, sessions, jobs and audit log entries
    Seed(seed::Args),
    /// Print the OpenAPI document
    #[cfg(feature = "api")]
    Openapi,
    /// Print the AsyncAPI document
    #[cfg(feature = "api")]
    Asyncapi,
    /// Print the GraphQL schema
    #[cfg(feature = "api")]
    GraphqlSchema,
    /// Check settings, database, schema, Redis, mail server, workers and jobs
    Doctor(doctor::Args),
    /// Re-encrypt two-factor secrets with SECRET_KEY, so that SECRET_KEY_OLD can be dropped
    Reseal(reseal::Args),
    /// Create a product that is built on Usher
    #[cfg(all(feature = "api", feature = "admin", feature = "worker"))]
    New(generate::NewArgs),
    /// Write the code of a new app, model, job or migration of a product
    #[cfg(all(feature = "api", feature = "admin", feature = "worker"))]
    #[command(subcommand)]
    Generate(generate::Command),
}

/// The names of Usher's own commands.
pub(crate) fn command_names() -> Vec<String> {
    let command = Cli::command();
    let names = command.get_subcommands().map(clap::Command::get_name);
    names.map(str::to_owned).collect()
}

/// The ids of all arguments of Usher's commands.
pub(crate) fn argument_ids() -> Vec<String> {
    fn ids(command: &clap::Command) -> Vec<String> {
        let own = command.get_arguments().map(|argument| argument.get_id().to_string());
        own.chain(command.get_subcommands().flat_map(ids)).collect()
    }
    ids(&Cli::command())
}

/// Usher's commands and the product's.
fn command(parts: &Parts) -> clap::Command {
    let program = Program::current();
    let hint = format!(
        "Every setting is an environment variable and a flag: `{} --help` lists them.",
        program.name
    );
    let own = parts.commands.iter();
    #[cfg(all(feature = "api", feature = "admin", feature = "worker"))]
    let is_product = program.name != Program::default().name;
    let command = Cli::command()
        .name(program.name)
        .version(program.version)
        .about(program.about)
        .after_help(hint);
    #[cfg(all(feature = "api", feature = "admin", feature = "worker"))]
    let command = command
        .mut_subcommand("new", |new| new.hide(is_product))
        .mut_subcommand("generate", |generate| {
            generate.hide(is_product && !cfg!(debug_assertions))
        });
    command.subcommands(own.map(|own| (own.arguments)(clap::Command::new(own.name))))
}

/// Reads the command line and runs what it names; exits on `--help`, `--version` and mistakes.
pub(crate) async fn run(parts: Parts) -> Result<()> {
    let (mut matches, source) = config::command_line_of(command(&parts));
    let name = matches.subcommand_name().unwrap_or_default();
    match parts.commands.iter().position(|own| own.name == name) {
        Some(at) => {
            let (_, arguments) = matches.remove_subcommand().unwrap_or_default();
            run_own(parts, at, arguments, &source).await
        }
        None => {
            let Cli { command } = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
            run_usher(parts, command.unwrap_or(Command::Up), &source).await
        }
    }
}

/// A command of the product, which gets the application on a schema that is up to date.
async fn run_own(parts: Parts, at: usize, arguments: ArgMatches, source: &Source) -> Result<()> {
    let app = AppContext::open(Config::read(Mode::Command, source)?, false).await?;
    (parts.commands[at].run)(arguments, app).await
}

async fn run_usher(parts: Parts, command: Command, source: &Source) -> Result<()> {
    let service_config = || Config::read(Mode::Service, source);
    let command_config = || Config::read(Mode::Command, source);
    match command {
        Command::Up => up::run(Config::read(Mode::Up, source)?, parts).await,
        Command::Dev(args) => dev::run(args, source).await,
        #[cfg(feature = "api")]
        Command::Api => {
            let serve = async |app: &AppContext, stop| usher_api::run_with(app, &parts.api, stop).await;
            usher_shared::run_service(service_config()?, "usher-api", serve).await
        }
        #[cfg(feature = "admin")]
        Command::Admin => {
            let serve = async |app: &AppContext, stop| usher_admin::run_with(parts.admin_state(app), stop).await;
            usher_shared::run_service(service_config()?, "usher-admin", serve).await
        }
        #[cfg(feature = "worker")]
        Command::Worker(args) => usher_worker::run_process(service_config()?, parts.registry, args.into()).await,
        Command::Migrate(args) => migrate::run(&command_config()?, &parts, &args).await,
        Command::Staff(command) => staff::run(&command_config()?, command).await,
        Command::Key(command) => api_keys::run(&command_config()?, command).await,
        Command::User(command) => users::run(&command_config()?, command).await,
        Command::Seed(args) => seed::run(&command_config()?, &parts.seeds, &args).await,
        Command::Doctor(args) => doctor::run(command_config()?, &parts.checks, &args).await,
        Command::Reseal(args) => reseal::run(&command_config()?, &args).await,
        #[cfg(all(feature = "api", feature = "admin", feature = "worker"))]
        Command::New(args) => generate::new(&args),
        #[cfg(all(feature = "api", feature = "admin", feature = "worker"))]
        Command::Generate(command) => generate::run(&command),
        #[cfg(feature = "api")]
        Command::Openapi => {
            crate::output::line(serde_json::to_string_pretty(&usher_api::openapi_with(&parts.api))?);
            Ok(())
        }
        #[cfg(feature = "api")]
        Command::Asyncapi => {
            crate::output::line(serde_json::to_string_pretty(&usher_api::asyncapi_with(&parts.api))?);
            Ok(())
        }
        #[cfg(feature = "api")]
        Command::GraphqlSchema => {
            let schema = usher_api::graphql_schema(&parts.api).map_err(anyhow::Error::msg)?;
            crate::output::line(schema.trim_end());
            Ok(())
        }
    }
}
