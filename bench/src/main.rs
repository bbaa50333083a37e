//! Benchmarks that anyone can repeat: real servers, started and stopped here, and the limit of what Usher
//! stands on measured in the same run.

mod admin;
mod api;
mod chaos;
mod jobs;
mod limit;
mod sample;
mod table;

use clap::{Parser, Subcommand};

#[derive(Parser)]
struct Cli {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// The pages of the admin, one after the other
    Admin(admin::Args),
    /// The public API under load
    Api(api::Args),
    /// Writing, starting and finishing jobs
    Jobs(jobs::Args),
    /// Jobs while everything around them fails
    Chaos(chaos::Args),
    /// One worker of the chaos, started by it
    #[command(hide = true)]
    ChaosWorker(chaos::worker::Args),
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    match Cli::parse().what {
        What::Admin(args) => admin::run(&args).await,
        What::Api(args) => api::run(&args).await,
        What::Jobs(args) => jobs::run(&args).await,
        What::Chaos(args) => chaos::run(&args).await,
        What::ChaosWorker(args) => chaos::worker::run(args).await,
    }
}
