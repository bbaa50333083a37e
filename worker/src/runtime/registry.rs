//! The kinds of job that a worker runs, with their handlers and retry policies.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use futures::future::{BoxFuture, FutureExt};
use usher_shared::{
    foundation::entity::job,
    jobs::{Job, Schedule},
};

use super::context::JobContext;
use crate::foundation::{Backoff, JobError};

/// Retries and time limit of a kind. Declared beside its handler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Max attempts, including the first; 1 or more. A job's own `max_attempts` overrides it.
    pub attempts: u32,
    /// The pause after a failed attempt.
    pub backoff: Backoff,
    /// For one attempt. A job's own `timeout_seconds` overrides it. Only a handler that awaits can be stopped.
    pub timeout: Duration,
}

impl Policy {
    /// Ten attempts over about an hour and a half, each with a minute.
    pub const DEFAULT: Self = Self {
        attempts: 10,
        backoff: Backoff {
            first: Duration::from_secs(10),
            cap: Duration::from_secs(3600),
        },
        timeout: Duration::from_secs(60),
    };
}

impl Default for Policy {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// What runs a job of type `J`: any `async fn(J, JobContext) -> Result<(), JobError>`.
pub trait Handler<J>: Send + Sync + 'static {
    /// Runs one attempt. The future may be dropped at any await: on a timeout, a cancellation, a lost lease.
    fn run(&self, job: J, context: JobContext) -> impl Future<Output = Result<(), JobError>> + Send;
}

impl<J, F, R> Handler<J> for F
where
    F: Fn(J, JobContext) -> R + Send + Sync + 'static,
    R: Future<Output = Result<(), JobError>> + Send,
{
    fn run(&self, job: J, context: JobContext) -> impl Future<Output = Result<(), JobError>> + Send {
        self(job, context)
    }
}

type Run = dyn Fn(JobContext) -> BoxFuture<'static, Result<(), JobError>> + Send + Sync;

/// One registered kind.
#[derive(Clone)]
pub(super) struct Kind {
    pub(super) policy: Policy,
    queue: &'static str,
    run: Arc<Run>,
}

impl Kind {
    pub(super) fn run(&self, context: JobContext) -> BoxFuture<'static, Result<(), JobError>> {
        (self.run)(context)
    }
}

/// The kinds of job that a worker runs, and their schedules.
///
/// ```
/// use serde::{Deserialize, Serialize};
/// use usher_shared::jobs::Job;
/// use usher_worker::{JobContext, JobError, Policy, Registry};
///
/// #[derive(Serialize, Deserialize)]
/// struct Greet {
///     user_id: i64,
/// }
///
/// impl Job for Greet {
///     const KIND: &'static str = "greet";
/// }
///
/// async fn greet(job: Greet, _context: JobContext) -> Result<(), JobError> {
///     tracing::info!(user_id = job.user_id, "hello");
///     Ok(())
/// }
///
/// let registry = Registry::new().register::<Greet>(Policy::DEFAULT, greet);
/// ```
#[derive(Clone, Default)]
pub struct Registry {
    kinds: BTreeMap<&'static str, Kind>,
    /// A kind that was registered again.
    repeated: Option<&'static str>,
    schedules: Vec<Schedule>,
}

impl Registry {
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a kind. A worker doesn't start with two of the same [`Job::KIND`].
    #[must_use]
    pub fn register<J: Job>(mut self, policy: Policy, handler: impl Handler<J>) -> Self {
        let handler = Arc::new(handler);
        let run = move |context: JobContext| {
            let handler = Arc::clone(&handler);
            async move {
                let job = read::<J>(&context.job)?;
                handler.run(job, context).await
            }
            .boxed()
        };
        let kind = Kind {
            policy,
            queue: J::QUEUE,
            run: Arc::new(run),
        };
        if self.kinds.insert(J::KIND, kind).is_some() {
            self.repeated = Some(J::KIND);
        }
        self
    }

    /// Adds a schedule. A worker writes it into `job_schedules` when it starts, unless that has one with its name.
    #[must_use]
    pub fn schedule(mut self, schedule: Schedule) -> Self {
        self.schedules.push(schedule);
        self
    }

    /// Adds everything that another registry has.
    ///
    /// # Errors
    /// The name of a kind or schedule that both have.
    pub fn merge(mut self, other: Self) -> Result<Self, &'static str> {
        let kind = other.kinds.keys().find(|kind| self.kinds.contains_key(*kind));
        let is_here = |name: &&str| self.schedules.iter().any(|schedule| schedule.name() == *name);
        let schedule = other.schedules.iter().map(Schedule::name).find(is_here);
        if let Some(twice) = kind.copied().or(schedule) {
            return Err(twice);
        }
        self.kinds.extend(other.kinds);
        self.repeated = self.repeated.or(other.repeated);
        self.schedules.extend(other.schedules);
        Ok(self)
    }

    /// A kind that was registered twice, which is a programmer's mistake: only one of its handlers could run.
    #[must_use]
    pub fn repeated(&self) -> Option<&'static str> {
        self.repeated
    }

    /// All registered schedules.
    #[must_use]
    pub fn schedules(&self) -> &[Schedule] {
        &self.schedules
    }

    pub(super) fn find(&self, kind: &str) -> Option<&Kind> {
        self.kinds.get(kind)
    }

    /// The names of all registered schedules.
    pub fn schedule_names(&self) -> impl Iterator<Item = &'static str> {
        self.schedules.iter().map(Schedule::name)
    }

    /// The names of all registered kinds.
    pub fn kinds(&self) -> impl Iterator<Item = &'static str> {
        self.kinds.keys().copied()
    }

    /// The queues of all registered kinds, each once.
    #[must_use]
    pub fn queues(&self) -> Vec<String> {
        let mut queues: Vec<_> = self.kinds.values().map(|kind| kind.queue.to_owned()).collect();
        queues.sort_unstable();
        queues.dedup();
        queues
    }
}

/// Reads the payload. An older version may still be readable; a newer one was written by a newer release.
fn read<J: Job>(job: &job::Model) -> Result<J, JobError> {
    if job.version > J::VERSION {
        return Err(JobError::give_up(format!(
            "payload version {} of {} is newer than this worker knows ({}): update the worker, then retry the job",
            job.version,
            J::KIND,
            J::VERSION
        )));
    }
    serde::Deserialize::deserialize(&job.payload)
        .map_err(|error: serde_json::Error| JobError::give_up(format!("unreadable payload of {}: {error}", J::KIND)))
}
