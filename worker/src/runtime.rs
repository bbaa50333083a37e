//! Runs jobs: fetches them from the jobs table, runs their handlers and writes how they ended. Knows no handler by
//! name.
//!
//! apalis calls the handlers: its worker bounds how many run at the same time and waits for them at shutdown, and its
//! monitor restarts it. Four things that it offers are done here instead:
//! - Time limits and panics: a limit belongs to the kind or to the job, and both are outcomes that are written into the
//!   jobs table and retried by the kind's policy; to `timeout` and `catch_panic` they are errors of a task.
//! - Retries: the job goes back to the table; `retry` would keep its handler and its lease for the whole pause.
//! - Traces and metrics: jobs in quarantine run beside apalis, and need them too; the series are also bounded by kind.
//! - Polling: its storages poll at an interval and lose wake-ups; here a channel hands it claimed jobs.

mod backlog;
mod claimer;
mod context;
mod fetcher;
mod health;
mod job_runner;
mod lease_table;
mod limited_queues;
mod maintenance;
mod metrics;
mod outcome;
mod quarantine;
mod queue_runner;
mod registry;
mod sending;
mod supervise;
mod worker_runtime;

pub use context::JobContext;
pub(crate) use health::{Health, Part};
pub(crate) use metrics::Metrics;
pub use registry::{Handler, Policy, Registry};
pub(crate) use worker_runtime::WorkerRuntime;
