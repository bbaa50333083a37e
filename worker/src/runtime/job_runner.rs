//! One run of one job: the handler under its time limit, a panic caught, and the outcome written into the jobs table.

use std::{
    panic::AssertUnwindSafe,
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use apalis::prelude::Data;
use futures::FutureExt;
use tracing::{Instrument, debug, error, info, info_span, warn};
use usher_shared::{
    foundation::{cache::Cache, config::Config, db, entity::job_attempt::AttemptOutcome, time::now, trace},
    jobs::{CompleteError, Completer, Failure, JobStore},
};

use super::{
    context::JobContext,
    lease_table::{LeasedJob, Stop},
    metrics::{Ended, Metrics},
    outcome::{Outcome, failure},
    registry::{Kind, Policy, Registry},
    supervise::panic_text,
};
use crate::{
    foundation::{
        Backoff,
        time_limit::{CALL_LIMIT, within},
    },
    mail::{MailBatcher, Mailer},
};

/// Between two tries to write an outcome.
const SETTLE_PAUSE: Backoff = Backoff {
    first: Duration::from_millis(100),
    cap: Duration::from_secs(2),
};

/// What all runs of this process share.
pub(super) struct JobRunner {
    pub(super) registry: Registry,
    pub(super) job_store: JobStore,
    pub(super) completer: Completer,
    pub(super) config: Arc<Config>,
    pub(super) cache: Cache,
    pub(super) mailer: Mailer,
    pub(super) mail_batcher: MailBatcher,
    pub(super) metrics: Arc<Metrics>,
}

/// The task function of apalis.
pub(super) async fn run(job: LeasedJob, runner: Data<Arc<JobRunner>>) {
    runner.run(job).await;
}

impl JobRunner {
    pub(super) async fn run(&self, job: LeasedJob) {
        // Scheduled jobs, and those of releases without traces, start a trace of their own.
        let parent = job.trace_context.as_deref();
        let mut exported = trace::Span::attempt(&job.kind, &job.queue, job.id, job.attempt, parent);
        let trace = exported.trace();
        let span = info_span!("job", id = %job.id, kind = job.kind, attempt = job.attempt, trace = %trace.id());
        let run = async {
            let late = (now() - job.run_at).to_std().unwrap_or_default();
            self.metrics.started(&job.kind, late);
            debug!(late_ms = late.as_millis(), "started");
            let started = Instant::now();
            let outcome = self.attempt(&job).await;
            let took = started.elapsed();
            let ended = self.settle(&job, &outcome, took).await;
            self.metrics.ended(&job.kind, ended, took);
            if let Some(error_type) = outcome.error_type() {
                exported.fail(error_type);
            }
            job.ran(started.elapsed());
        };
        trace.scope(run).instrument(span).await;
    }

    async fn attempt(&self, job: &LeasedJob) -> Outcome {
        let Some(kind) = self.registry.find(&job.kind) else {
            let error = format!(
                "this worker has no handler for {:?}: update the worker, then retry the job",
                job.kind
            );
            return Outcome::GivenUp(failure(AttemptOutcome::GaveUp, error));
        };
        let context = self.context(job);
        let completed = Arc::clone(&context.completed);
        let limit = time_limit(job, kind);
        // Inside the block a panic before the handler's first await is caught as well.
        let handler = AssertUnwindSafe(async { kind.run(context).await }).catch_unwind();
        tokio::select! {
            biased;
            stop = job.stopped() => match stop {
                Stop::LeaseLost => Outcome::Lost,
                Stop::CancelRequested => {
                    Outcome::Cancelled(failure(AttemptOutcome::Cancelled, "cancelled while it ran"))
                }
                Stop::Draining => Outcome::GivenBack,
            },
            answer = tokio::time::timeout(limit, handler) => match answer {
                Ok(Ok(Ok(()))) if completed.load(Ordering::Acquire) => Outcome::Completed,
                Ok(Ok(Ok(()))) => Outcome::Done,
                Ok(Ok(Err(error))) => error.into(),
                Ok(Err(panic)) => {
                    Outcome::failed(AttemptOutcome::Panicked, format!("the handler panicked: {}", panic_text(&*panic)))
                }
                Err(_) => {
                    let error = format!("still running after its time limit of {limit:?}");
                    Outcome::failed(AttemptOutcome::TimedOut, error)
                }
            },
        }
    }

    fn context(&self, job: &LeasedJob) -> JobContext {
        JobContext {
            db: db::in_time(self.job_store.db()),
            job_store: self.job_store.clone(),
            config: Arc::clone(&self.config),
            cache: self.cache.clone(),
            mailer: self.mailer.clone(),
            job: Arc::clone(&job.job),
            claim: job.claim,
            completed: Arc::default(),
            ending: Arc::clone(job.ending()),
            mail_batcher: self.mail_batcher.clone(),
            metrics: Arc::clone(&self.metrics),
            tokens: Arc::default(),
        }
    }

    /// Writes the outcome, trying for as long as the lease is ours: a short database outage costs no attempt.
    async fn settle(&self, job: &LeasedJob, outcome: &Outcome, took: Duration) -> Ended {
        let mut failures = 0;
        job.ending().store(true, Ordering::Release);
        loop {
            let error = match within(CALL_LIMIT, self.write(job, outcome, took.as_millis())).await {
                Ok(ended) => return ended,
                Err(error) => error,
            };
            if matches!(error.downcast_ref(), Some(CompleteError::Lost)) {
                warn!("the lease was lost: nothing of this run is kept");
                return Ended::Otherwise;
            }
            failures += 1;
            if job.is_lost() {
                let error = format!("{error:#}");
                error!(%error, failures, "the lease ran out before the outcome was written");
                return Ended::Otherwise;
            }
            tokio::time::sleep(SETTLE_PAUSE.after(failures)).await;
        }
    }

    async fn write(&self, job: &LeasedJob, outcome: &Outcome, took_ms: u128) -> Result<Ended, CompleteError> {
        let job_store = &self.job_store;
        match outcome {
            Outcome::Completed => info!(took_ms, "done"),
            Outcome::Done => {
                self.completer.complete(job.claim).await?;
                info!(took_ms, "done");
            }
            Outcome::Failed(failure, after) => return self.write_failure(job, failure, *after, took_ms).await,
            Outcome::Snoozed(reason, after) => {
                job_store.snooze(&job.job, reason, *after).await?;
                info!(reason, again_in_ms = after.as_millis(), "snoozed");
                return Ok(Ended::Otherwise);
            }
            Outcome::GivenUp(failure) => {
                job_store.discard(&job.job, failure).await?;
                error!(error = failure.error, took_ms, "dead: it cannot succeed");
                return Ok(Ended::Dead);
            }
            Outcome::Cancelled(failure) => {
                job_store.cancelled(&job.job, failure).await?;
                info!(reason = failure.error, took_ms, "cancelled");
                return Ok(Ended::Otherwise);
            }
            Outcome::GivenBack => {
                job_store.give_back(&[job.claim]).await?;
                info!(took_ms, "given back unfinished, because this worker stops");
                return Ok(Ended::Otherwise);
            }
            Outcome::Lost => return Err(CompleteError::Lost),
        }
        Ok(Ended::Done)
    }

    async fn write_failure(
        &self,
        job: &LeasedJob,
        failure: &Failure,
        after: Option<Duration>,
        took_ms: u128,
    ) -> Result<Ended, CompleteError> {
        let error = failure.error.as_str();
        let policy = self
            .registry
            .find(&job.kind)
            .map_or(Policy::DEFAULT, |kind| kind.policy);
        let max_attempts = job.max_attempts.and_then(|attempts| u32::try_from(attempts).ok());
        let attempt = u32::try_from(job.attempt).unwrap_or(u32::MAX);
        if attempt >= max_attempts.unwrap_or(policy.attempts) {
            self.job_store.discard(&job.job, failure).await?;
            error!(error, took_ms, "dead: its last attempt failed");
            return Ok(Ended::Dead);
        }
        let after = after.unwrap_or_else(|| policy.backoff.after(attempt));
        self.job_store.retry(&job.job, failure, after).await?;
        warn!(
            error,
            took_ms,
            again_in_ms = after.as_millis(),
            "failed, will be retried"
        );
        Ok(Ended::Retried)
    }
}

fn time_limit(job: &LeasedJob, kind: &Kind) -> Duration {
    match job.timeout_seconds.and_then(|seconds| u64::try_from(seconds).ok()) {
        Some(seconds) => Duration::from_secs(seconds),
        None => kind.policy.timeout,
    }
}
