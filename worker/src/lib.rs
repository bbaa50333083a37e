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
use usher_shared::AppContext;

pub use foundation::{Backoff, JobError};
pub use handlers::registry;
pub use mail::{Delivery, Link, MailMessage, Mailer, Recipient};
pub use options::{Options, USAGE};
pub use runtime::{Handler, JobContext, Policy, Registry};
pub use worker::Worker;

/// Runs Usher's own jobs until shutdown, with health and metrics on `METRICS_ADDR`. Fails when a setting is unusable.
pub async fn run(app: &AppContext, options: Options, shutdown: CancellationToken) -> anyhow::Result<()> {
    Worker::new(registry(), options).run_observed(app, shutdown).await
}
