//! The generators: `usher new` makes a product, `generate` what a person would have written by hand in one. They never
//! overwrite a file.

mod app;
mod changes;
mod fields;
mod job;
mod migration;
mod model;
mod names;
mod new;
mod product;
mod taken;

use anyhow::Result;
use clap::Subcommand;

pub(crate) use new::{Args as NewArgs, run as new};

/// What to generate, in the product around the current folder.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Add an app, one domain of the product, such as billing
    App(app::Args),
    /// Add a model: table, entity, API, admin and tests
    Model(model::Args),
    /// Add a migration to an app, for you to fill in
    Migration(migration::Args),
    /// Add a job to an app: payload, handler and test
    Job(job::Args),
}

/// Generates it and prints the files and the next step.
pub(crate) fn run(command: &Command) -> Result<()> {
    match command {
        Command::App(args) => app::run(args),
        Command::Model(args) => model::run(args),
        Command::Migration(args) => migration::run(args),
        Command::Job(args) => job::run(args),
    }
}
