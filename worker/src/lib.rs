//! The worker's room: jobs of the jobs table run here, by apalis, with the kinds that Usher itself brings.
//! It can be used alone: register other kinds, and run them over the same ledger.

mod attempt;
mod backend;
mod backoff;
mod context;
mod crew;
mod driver;
mod error;
#[cfg(test)]
mod example;
mod health;
mod held;
mod keep;
mod lane;
mod letter;
mod limited;
mod long;
mod mailer;
mod mails;
mod metrics;
mod options;
mod pulse;
mod registry;
mod smtp;
mod suspects;
mod together;
mod upkeep;
mod worker;

use tokio_util::sync::CancellationToken;
use usher_shared::AppContext;

pub use backoff::Backoff;
pub use context::JobContext;
pub use error::JobError;
pub use letter::{Letter, Link};
pub use mailer::{Delivery, Mail, Mailer};
pub use mails::Recipient;
pub use options::{Options, USAGE};
pub use registry::{Handler, Policy, Registry};
pub use worker::Worker;

/// The kinds of job that Usher itself brings.
#[must_use]
pub fn registry() -> Registry {
    long::register(mails::register(upkeep::register(Registry::new())))
}

/// Runs Usher's own jobs in a house that is open, until shutdown, with health and metrics on `METRICS_ADDR`. Errors are settings that cannot be used.
pub async fn run(app: &AppContext, options: Options, shutdown: CancellationToken) -> anyhow::Result<()> {
    Worker::new(registry(), options).run_told(app, shutdown).await
}
