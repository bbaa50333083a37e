//! One run of one job: the handler under its time limit, a panic caught, and the jobs table told how it ended.
//! This happens below apalis' layers, so that a timeout or a panic is an outcome like any other.

use std::{
    panic::AssertUnwindSafe,
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use apalis::prelude::Data;
use futures::FutureExt;
use sea_orm::ActiveEnum;
use tracing::{Instrument, debug, error, info, info_span, warn};
use usher_shared::{
    foundation::{config::Config, db, entity::job_attempt::AttemptOutcome, redact, time::now, trace},
    jobs::{CompleteError, Failure, Finisher, JobStore},
};

use crate::{
    Backoff, JobContext, JobError, Mailer, Policy, Registry,
    held::{LeasedJob, Stop},
    keep::{CALL_LIMIT, panic_text, within},
    mailer::Desk,
    metrics::{Ended, Metrics},
    registry::Kind,
};

/// Between two tries to write down how a run ended.
const SETTLE_PAUSE: Backoff = Backoff {
    first: Duration::from_millis(100),
    cap: Duration::from_secs(2),
};

/// What all runs of this process share.
pub(crate) struct Workshop {
    pub(crate) registry: Registry,
    pub(crate) job_store: JobStore,
    pub(crate) finisher: Finisher,
    pub(crate) config: Arc<Config>,
    pub(crate) mailer: Mailer,
    pub(crate) desk: Desk,
    pub(crate) metrics: Arc<Metrics>,
}

/// How a run ended, and so what the jobs table is told.
enum End {
    Done,
    /// The handler completed the job in its own transaction.
    Completed,
    Failed(Failure, Option<Duration>),
    PutOff(String, Duration),
    GivenUp(Failure),
    Cancelled(Failure),
    GivenBack,
    Lost,
}

/// The one task function that apalis calls.
pub(crate) async fn run(held: LeasedJob, workshop: Data<Arc<Workshop>>) {
    // Jobs that come by the clock or before traces were kept start one of their own.
    let parent = held.trace_context.as_deref();
    let mut exported = trace::Span::attempt(&held.kind, &held.queue, held.id, held.attempt, parent);
    let trace = exported.trace();
    let span = info_span!("job", id = %held.id, kind = held.kind, attempt = held.attempt, trace = %trace.id());
    let story = async {
        let late = (now() - held.run_at).to_std().unwrap_or_default();
        workshop.metrics.started(&held.kind, late);
        debug!(late_ms = late.as_millis(), "started");
        let started = Instant::now();
        let end = workshop.perform(&held).await;
        let took = started.elapsed();
        let ended = workshop.settle(&held, &end, took).await;
        workshop.metrics.ended(&held.kind, ended, took);
        if let Some(outcome) = end.failure() {
            exported.fail(outcome);
        }
        held.ran(started.elapsed());
    };
    trace.scope(story).instrument(span).await;
}

impl Workshop {
    async fn perform(&self, held: &LeasedJob) -> End {
        let Some(kind) = self.registry.find(&held.kind) else {
            let error = format!(
                "this worker knows no kind {:?}: update the worker, then replay the job",
                held.kind
            );
            return End::GivenUp(failure(AttemptOutcome::GaveUp, error));
        };
        let context = JobContext {
            db: db::in_time(self.job_store.db()),
            job_store: self.job_store.clone(),
            config: Arc::clone(&self.config),
            mailer: self.mailer.clone(),
            job: Arc::clone(&held.job),
            claim: held.claim,
            completed: Arc::default(),
            ending: Arc::clone(held.ending()),
            desk: self.desk.clone(),
            metrics: Arc::clone(&self.metrics),
            tokens: Arc::default(),
        };
        let completed = Arc::clone(&context.completed);
        let limit = time_limit(held, kind);
        // The block makes a panic before the handler's first await an outcome as well.
        let handler = AssertUnwindSafe(async { kind.run(context).await }).catch_unwind();
        tokio::select! {
            biased;
            stop = held.stopped() => match stop {
                Stop::LeaseLost => End::Lost,
                Stop::CancelRequested => End::Cancelled(failure(AttemptOutcome::Cancelled, "cancelled while it ran")),
                Stop::Draining => End::GivenBack,
            },
            answer = tokio::time::timeout(limit, handler) => match answer {
                Ok(Ok(Ok(()))) if completed.load(Ordering::Acquire) => End::Completed,
                Ok(Ok(Ok(()))) => End::Done,
                Ok(Ok(Err(error))) => End::of(error),
                Ok(Err(panic)) => {
                    let error = format!("the handler panicked: {}", panic_text(&*panic));
                    End::Failed(failure(AttemptOutcome::Panicked, error), None)
                }
                Err(_) => {
                    let error = format!("still running after its time limit of {limit:?}");
                    End::Failed(failure(AttemptOutcome::TimedOut, error), None)
                }
            },
        }
    }

    /// Tells the jobs table, as often as it takes while the lease is ours: an outage of some seconds costs no attempt.
    async fn settle(&self, held: &LeasedJob, end: &End, took: Duration) -> Ended {
        let mut failures = 0;
        held.ending().store(true, Ordering::Release);
        loop {
            let error = match within(CALL_LIMIT, self.write(held, end, took)).await {
                Ok(ended) => return ended,
                Err(error) => error,
            };
            if matches!(error.downcast_ref(), Some(CompleteError::Lost)) {
                warn!("the lease was lost: nothing of this run is kept");
                return Ended::Otherwise;
            }
            failures += 1;
            if held.is_lost() {
                error!(error = %format_args!("{error:#}"), failures, "the lease ran out before the run's end was written");
                return Ended::Otherwise;
            }
            tokio::time::sleep(SETTLE_PAUSE.after(failures)).await;
        }
    }

    async fn write(&self, held: &LeasedJob, end: &End, took: Duration) -> Result<Ended, CompleteError> {
        let (job_store, took_ms) = (&self.job_store, took.as_millis());
        match end {
            End::Completed => info!(took_ms, "done"),
            End::Done => {
                self.finisher.complete(held.claim).await?;
                info!(took_ms, "done");
            }
            End::Failed(failure, after) => return self.write_failure(held, failure, *after, took_ms).await,
            End::PutOff(reason, after) => {
                job_store.snooze(&held.job, reason, *after).await?;
                info!(reason, again_in_ms = after.as_millis(), "put off");
                return Ok(Ended::Otherwise);
            }
            End::GivenUp(failure) => {
                job_store.discard(&held.job, failure).await?;
                error!(error = failure.error, took_ms, "dead: it cannot succeed");
                return Ok(Ended::Dead);
            }
            End::Cancelled(failure) => {
                job_store.cancelled(&held.job, failure).await?;
                info!(reason = failure.error, took_ms, "cancelled");
                return Ok(Ended::Otherwise);
            }
            End::GivenBack => {
                job_store.give_back(&[held.claim]).await?;
                info!(took_ms, "given back unfinished, because this worker stops");
                return Ok(Ended::Otherwise);
            }
            End::Lost => return Err(CompleteError::Lost),
        }
        Ok(Ended::Done)
    }

    async fn write_failure(
        &self,
        held: &LeasedJob,
        failure: &Failure,
        after: Option<Duration>,
        took_ms: u128,
    ) -> Result<Ended, CompleteError> {
        let error = failure.error.as_str();
        let policy = self
            .registry
            .find(&held.kind)
            .map_or(Policy::DEFAULT, |kind| kind.policy);
        let attempts = held
            .max_attempts
            .and_then(|attempts| u32::try_from(attempts).ok())
            .unwrap_or(policy.attempts);
        let attempt = u32::try_from(held.attempt).unwrap_or(u32::MAX);
        if attempt >= attempts {
            self.job_store.discard(&held.job, failure).await?;
            error!(error, took_ms, "dead: its last attempt failed");
            return Ok(Ended::Dead);
        }
        let after = after.unwrap_or_else(|| policy.backoff.after(attempt));
        self.job_store.retry(&held.job, failure, after).await?;
        warn!(
            error,
            took_ms,
            again_in_ms = after.as_millis(),
            "failed, to be tried again"
        );
        Ok(Ended::Retried)
    }
}

impl End {
    fn of(error: JobError) -> Self {
        let failure = |outcome, error| failure(outcome, format!("{error:#}"));
        match error {
            JobError::Retry(error) if matches!(error.downcast_ref(), Some(CompleteError::Lost)) => Self::Lost,
            JobError::Retry(error) => Self::Failed(failure(AttemptOutcome::Failed, error), None),
            JobError::RetryAfter(after, error) => Self::Failed(failure(AttemptOutcome::Failed, error), Some(after)),
            JobError::Snooze(after, error) => Self::PutOff(without_secrets(&format!("{error:#}")), after),
            JobError::GiveUp(error) => Self::GivenUp(failure(AttemptOutcome::GaveUp, error)),
            JobError::Cancel(error) => Self::Cancelled(failure(AttemptOutcome::Cancelled, error)),
        }
    }

    /// What a trace calls it; the error's own text stays in the jobs table.
    fn failure(&self) -> Option<String> {
        match self {
            Self::Failed(failure, _) | Self::GivenUp(failure) => Some(failure.outcome.to_value()),
            Self::Lost => Some("lease_lost".to_owned()),
            Self::Done | Self::Completed | Self::PutOff(..) | Self::Cancelled(_) | Self::GivenBack => None,
        }
    }
}

fn failure(outcome: AttemptOutcome, error: impl Into<String>) -> Failure {
    Failure {
        outcome,
        error: without_secrets(&error.into()),
    }
}

/// Staff read errors, and a program that failed on a link may tell all of it.
fn without_secrets(error: &str) -> String {
    redact::tokens(error).into_owned()
}

fn time_limit(held: &LeasedJob, kind: &Kind) -> Duration {
    match held.timeout_seconds.and_then(|seconds| u64::try_from(seconds).ok()) {
        Some(seconds) => Duration::from_secs(seconds),
        None => kind.policy.timeout,
    }
}
