//! One room as a process of its own; the same as its own binary.

use anyhow::Result;
use usher_shared::{
    AppContext,
    foundation::{config::Config, log, process, trace},
};
use usher_worker::{Options, Worker};

#[derive(Debug, clap::Args)]
pub struct WorkerArgs {
    /// Queues to serve, separated by commas; `mail:8` has 8 handlers of its own [default: every queue with a registered kind]
    #[arg(long)]
    queues: Option<String>,
    /// Jobs that run at the same time, besides those of queues with handlers of their own
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=1000))]
    concurrency: u16,
}

pub async fn api(config: Config) -> Result<()> {
    log::init(config.log_format);
    let _traces = trace::start(&config, "usher-api")?;
    let app = AppContext::open(config, false).await?;
    Ok(usher_api::run(&app, process::shutdown_signal()).await?)
}

pub async fn admin(config: Config) -> Result<()> {
    log::init(config.log_format);
    let _traces = trace::start(&config, "usher-admin")?;
    let app = AppContext::open(config, false).await?;
    Ok(usher_admin::run(&app, process::shutdown_signal()).await?)
}

pub async fn worker(config: Config, args: WorkerArgs) -> Result<()> {
    log::init(config.log_format);
    let _traces = trace::start(&config, "usher-worker")?;
    let mut options = Options {
        concurrency: usize::from(args.concurrency),
        ..Options::default()
    };
    if let Some(queues) = args.queues {
        options.serve_queues(&queues)?;
    }
    Worker::new(usher_worker::registry(), options)
        .serve(config, process::shutdown_signal())
        .await
}
