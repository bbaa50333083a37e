//! The worker as a process of its own.

use std::process::ExitCode;

use usher_shared::{
    Config,
    config::{Mode, Source},
    log, process,
};
use usher_worker::{Options, Worker, registry};

#[tokio::main]
async fn main() -> ExitCode {
    process::run("usher-worker", work()).await
}

async fn work() -> anyhow::Result<()> {
    let (options, settings) = Options::from_args(std::env::args().skip(1))?;
    let config = Config::read(Mode::Room, &Source::environment().and(Source::flags(settings)?))?;
    log::init(config.log_format);
    Worker::new(registry(), options)
        .serve(config, process::shutdown_signal())
        .await
}
