//! The worker as a process of its own.

use std::process::ExitCode;

use clap::Parser;
use mimalloc::MiMalloc;
use usher_shared::foundation::{
    config::{self, Config, Mode},
    process,
};
use usher_worker::Args;

/// With it a list of users takes a quarter less time than with the C library's; an idle process is about as large.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// Usher's background worker.
#[derive(Parser)]
#[command(name = "usher-worker", version)]
struct Cli {
    #[command(flatten)]
    args: Args,
}

#[tokio::main]
async fn main() -> ExitCode {
    process::run("usher-worker", work()).await
}

async fn work() -> anyhow::Result<()> {
    let (Cli { args }, source) = config::command_line();
    let config = Config::read(Mode::Service, &source)?;
    usher_worker::run_process(config, usher_worker::registry(), args.into()).await
}
