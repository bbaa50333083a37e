//! The front door: everything in one process, and the commands that operators need.

mod bootstrap;
mod cli;
mod database;
mod doctor;
mod keys;
mod migrate;
mod room;
mod say;
mod seed;
mod staff;
mod up;

use std::process::ExitCode;

use usher_shared::process;

/// A tenth less CPU for a request than with the system's, and freed memory goes back instead of staying with each thread.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> ExitCode {
    let (command, source) = cli::parse();
    process::run("usher", cli::run(command, source)).await
}
