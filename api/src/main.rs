//! The public API as a process of its own.

use std::process::ExitCode;

use clap::Parser;
use mimalloc::MiMalloc;
use usher_shared::{
    foundation::{
        config::{self, Config, Mode},
        process,
    },
    run_service,
};

/// A list takes a quarter less time with it than with the C library's, and an idle process is about as large.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// Usher's public API.
#[derive(Parser)]
#[command(name = "usher-api", version)]
struct Cli {}

#[tokio::main]
async fn main() -> ExitCode {
    process::run("usher-api", start()).await
}

async fn start() -> anyhow::Result<()> {
    let (Cli {}, source) = config::command_line();
    run_service(Config::read(Mode::Service, &source)?, "usher-api", usher_api::run).await
}
