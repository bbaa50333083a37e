//! The worker as a process of its own.

use std::process::ExitCode;

use mimalloc::MiMalloc;
use usher_shared::foundation::{
    config::{Config, Mode, Source},
    log, process, trace,
};
use usher_worker::{Options, Worker, registry};

/// With it a list of users takes a quarter less time than with the C library's; an idle process is about as large.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

#[tokio::main]
async fn main() -> ExitCode {
    process::run_room("usher-worker", &Options::FLAGS, work()).await
}

async fn work() -> anyhow::Result<()> {
    let (options, settings) = Options::from_args(std::env::args().skip(1))?;
    let config = Config::read(Mode::Room, &Source::environment().and(Source::flags(settings)?))?;
    log::init(config.log_format);
    let _traces = trace::start(&config, "usher-worker")?;
    Worker::new(registry(), options)
        .serve(config, process::shutdown_signal())
        .await
}
