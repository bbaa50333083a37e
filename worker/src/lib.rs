//! The background worker: apalis runs the jobs of the jobs table, with the handlers that Usher brings.
//! Another program can register kinds of its own beside them.

#[cfg(test)]
mod example;
mod foundation;
mod handlers;
mod mail;
mod options;
mod runtime;
mod texts;
mod worker;

use tokio_util::sync::CancellationToken;
use usher_shared::{
    AppContext,
    foundation::{config::Config, log, process, trace},
};

pub use foundation::{Backoff, JobError};
pub use handlers::registry;
pub use mail::{Delivery, Link, MailMessage, Mailer, Recipient};
pub use options::{Args, Options};
pub use runtime::{Handler, JobContext, Policy, Registry};
pub use worker::Worker;

/// Runs the jobs of a registry until shutdown, with health and metrics on `METRICS_ADDR`. Fails when a setting is
/// unusable.
pub async fn run(
    app: &AppContext,
    registry: Registry,
    options: Options,
    shutdown: CancellationToken,
) -> anyhow::Result<()> {
    Worker::new(registry, options).run_observed(app, shutdown).await
}

/// Runs the jobs of a registry as a process of its own, until SIGTERM.
pub async fn run_process(config: Config, registry: Registry, options: Options) -> anyhow::Result<()> {
    log::init(config.log_format);
    let _traces = trace::start(&config, "usher-worker")?;
    Worker::new(registry, options)
        .serve(config, process::shutdown_signal())
        .await
}
