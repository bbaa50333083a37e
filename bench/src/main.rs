//! Benchmarks that anyone can repeat: real servers, started and stopped here, and the limit of what Usher
//! stands on measured in the same run.

mod admin;
mod api;
mod chaos;
mod events;
mod growth;
mod jobs;
mod limit;
mod programs;
mod sample;
mod soak;
mod start;
mod table;

use anyhow::Result;
use clap::{Parser, Subcommand};
use mimalloc::MiMalloc;

use table::Figure;

/// The programs have it too, and a worker runs in here.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

#[derive(Parser)]
struct Cli {
    #[command(subcommand)]
    what: What,
    /// The figures as JSON
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Subcommand)]
enum What {
    /// Everything else, each in its short form
    All {
        /// Users in the tables of the API and the admin
        #[arg(long, default_value_t = 100_000)]
        users: u64,
    },
    /// How long a start takes, and what an idle process holds
    Start,
    /// The pages of the admin, one after the other
    Admin(admin::Args),
    /// The public API under load
    Api(api::Args),
    /// Writing, starting and finishing jobs
    Jobs(jobs::Args),
    /// What each operation asks of PostgreSQL, as the tables grow
    Growth(growth::Args),
    /// Jobs while everything around them fails
    Chaos(chaos::Args),
    /// The stream of events: whether it is whole, how soon it is there, and how many can listen
    Events(events::Args),
    /// Everything at once for hours, while processes are killed and servers restart
    Soak(soak::Args),
    /// One worker of the chaos, started by it
    #[command(hide = true)]
    ChaosWorker(chaos::worker::Args),
}

#[tokio::main]
async fn main() -> Result<()> {
    let Cli { what, json } = Cli::parse();
    let figures = match what {
        What::All { users } => all(users).await?,
        What::Start => start::figures().await?,
        What::Admin(args) => admin::figures(&args).await?,
        What::Api(args) => api::figures(&args).await?,
        What::Jobs(args) => jobs::figures(&args).await?,
        What::Growth(args) => growth::figures(&args).await?,
        What::Chaos(args) => chaos::figures(&args).await?,
        What::Events(args) => events::figures(&args).await?,
        What::Soak(args) => soak::figures(&args).await?,
        What::ChaosWorker(args) => return chaos::worker::run(args).await,
    };
    table::conclude(&figures, json)
}

async fn all(users: u64) -> Result<Vec<Figure>> {
    let mut figures = start::figures().await?;
    figures.extend(api::figures(&api::Args::short(users)).await?);
    figures.extend(admin::figures(&admin::Args::short(users)).await?);
    figures.extend(jobs::figures(&jobs::Args::short()).await?);
    figures.extend(chaos::figures(&chaos::Args::short()).await?);
    figures.extend(events::figures(&events::Args::short()).await?);
    Ok(figures)
}
