//! Runs the jobs of some queues: a fetcher brings them in, apalis runs them. Most workers have one queue runner; a
//! queue with handlers of its own has another.

use std::{
    convert::Infallible,
    pin::pin,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::bail;
use apalis::{
    layers::WorkerBuilderExt,
    prelude::{Monitor, WorkerBuilder},
};
use apalis_core::worker::ext::parallelize::ParallelizeExt;
use futures::stream::{self, BoxStream, StreamExt};
use tokio::{
    sync::{Semaphore, mpsc},
    task::JoinHandle,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    claimer::{Claimer, Intake},
    fetcher::Fetcher,
    job_runner::{self, JobRunner},
    lease_table::LeasedJob,
    limited_queues,
    supervise::supervise,
};
use crate::options::Options;

pub(super) struct QueueRunner {
    queues: Vec<String>,
    /// Jobs that run at the same time.
    pub(super) concurrency: usize,
    /// Rows that are claimed ahead of free handlers, at most.
    ahead: usize,
    /// One for each job that may be leased: those that run, and those claimed ahead of them.
    slots: Arc<Semaphore>,
}

/// A queue runner at work.
pub(super) struct Started {
    jobs: Claimed,
    fetching: [JoinHandle<()>; 2],
    pub(super) handling: JoinHandle<()>,
}

/// The jobs that were claimed and that no handler has started.
#[derive(Clone)]
struct Claimed(Arc<Mutex<mpsc::Receiver<LeasedJob>>>);

impl QueueRunner {
    /// One for each queue that has handlers of its own, and one that all others share.
    pub(super) fn all(queues: &[String], options: &Options) -> Vec<Self> {
        let (own, others): (Vec<_>, Vec<_>) = queues
            .iter()
            .cloned()
            .partition(|queue| options.own.contains_key(queue));
        let mut runners: Vec<_> = own
            .into_iter()
            .map(|queue| {
                let concurrency = options.own[&queue];
                Self::new(vec![queue], concurrency)
            })
            .collect();
        if !others.is_empty() || runners.is_empty() {
            runners.push(Self::new(others, options.concurrency));
        }
        runners
    }

    fn new(queues: Vec<String>, concurrency: usize) -> Self {
        let ahead = concurrency.div_ceil(2);
        Self {
            queues,
            concurrency,
            ahead,
            slots: Arc::new(Semaphore::new(concurrency + ahead)),
        }
    }

    /// Starts to fetch jobs and to run them.
    pub(super) fn start(&self, claimer: &Claimer, runner: &Arc<JobRunner>, background: &TaskTracker) -> Started {
        let (sender, receiver) = mpsc::channel(self.concurrency + self.ahead);
        let (jobs, shutdown) = (Claimed(Arc::new(Mutex::new(receiver))), &claimer.shutdown);
        let intake = Arc::new(Intake {
            claimer: claimer.clone(),
            queues: self.queues.clone(),
            slots: Arc::clone(&self.slots),
            jobs: sender,
        });
        let limited = Arc::clone(&intake);
        let limited = move || limited_queues::round(Arc::clone(&limited));
        let fetcher = Arc::new(Fetcher {
            intake,
            ahead: self.ahead,
            turns: tokio::sync::Mutex::default(),
        });
        let fetch = move || Arc::clone(&fetcher).round();
        Started {
            fetching: [
                background.spawn(supervise("limited queues", shutdown.clone(), limited)),
                background.spawn(supervise("fetcher", shutdown.clone(), fetch)),
            ],
            handling: tokio::spawn(self.handle(&claimer.worker, jobs.clone(), Arc::clone(runner), shutdown.clone())),
            jobs,
        }
    }

    /// Runs apalis until shutdown. Its monitor restarts a worker that fails, but returns when one ends without an
    /// error; then it is started anew.
    fn handle(
        &self,
        worker: &str,
        jobs: Claimed,
        runner: Arc<JobRunner>,
        shutdown: CancellationToken,
    ) -> impl Future<Output = ()> + use<> {
        let (name, concurrency) = (format!("{worker} {}", self.queues.join(" ")), self.concurrency);
        supervise("apalis", shutdown.clone(), move || {
            let (name, jobs, runner) = (name.clone(), jobs.clone(), Arc::clone(&runner));
            let monitor = Monitor::new()
                .register(move |_| {
                    WorkerBuilder::new(name.as_str())
                        .backend(jobs.stream())
                        .data(Arc::clone(&runner))
                        .concurrency(concurrency)
                        .parallelize(tokio::spawn)
                        .build(job_runner::run)
                })
                .should_restart(|_, _| true);
            run_until(monitor, shutdown.clone())
        })
    }

    /// Waits until it leases no job.
    pub(super) async fn settled(&self) {
        let all = u32::try_from(self.concurrency + self.ahead).unwrap_or(u32::MAX);
        drop(self.slots.acquire_many(all).await);
    }
}

impl Started {
    /// After shutdown: waits until no more jobs are fetched. Returns those that no handler has started.
    pub(super) async fn no_more_come(&mut self) -> Vec<LeasedJob> {
        for fetching in &mut self.fetching {
            drop(fetching.await);
        }
        let mut jobs = self.jobs.0.lock().unwrap_or_else(PoisonError::into_inner);
        std::iter::from_fn(|| jobs.try_recv().ok()).collect()
    }
}

impl Claimed {
    /// The jobs as a backend of apalis. A worker that is started again goes on where the one before it stopped.
    fn stream(&self) -> BoxStream<'static, Result<LeasedJob, Infallible>> {
        let jobs = Arc::clone(&self.0);
        stream::poll_fn(move |cx| {
            let mut jobs = jobs.lock().unwrap_or_else(PoisonError::into_inner);
            jobs.poll_recv(cx).map(|job| job.map(Ok))
        })
        .boxed()
    }
}

/// Unlike [`Monitor::run_with_signal`] this also returns when the monitor's workers end before shutdown, as an error.
async fn run_until(monitor: Monitor, shutdown: CancellationToken) -> anyhow::Result<Duration> {
    let context = monitor.context();
    let mut running = pin!(monitor.run());
    tokio::select! {
        ended = &mut running => {
            // Each time: what supervises this logs only the first of a row of failures, and no round ends well before
            // shutdown.
            tracing::error!(?ended, "apalis stopped by itself and is started again");
            bail!("the monitor ended before shutdown: {ended:?}")
        }
        () = shutdown.cancelled() => {
            drop(context.shutdown());
            drop(running.await);
            Ok(Duration::ZERO)
        }
    }
}
