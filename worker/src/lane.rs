//! Some of a worker's queues with the handlers that are there for them: a driver brings their jobs in, apalis runs them.
//! Most workers have one lane; a queue with handlers of its own is another one.

use std::{sync::Arc, time::Duration};

use apalis::{
    layers::WorkerBuilderExt,
    prelude::{Monitor, MonitorError, WorkerBuilder},
};
use apalis_core::worker::ext::parallelize::ParallelizeExt;
use tokio::{
    sync::{Mutex, Semaphore, mpsc},
    task::JoinHandle,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::error;

use crate::{
    Backoff, Options,
    attempt::{self, Workshop},
    backend::LedgerBackend,
    crew::Crew,
    driver::Driver,
    held::LeasedJob,
    keep::keep,
    limited::Limited,
};

/// Before apalis is started again, should it stop.
const RESTART: Backoff = Backoff {
    first: Duration::from_millis(100),
    cap: Duration::from_secs(5),
};

pub(crate) struct Lane {
    queues: Vec<String>,
    /// Jobs that run at the same time.
    pub(crate) concurrency: usize,
    /// Rows that are claimed ahead of free handlers, at most.
    ahead: usize,
    /// One for each job that may be held: those that run, and those claimed ahead of them.
    slots: Arc<Semaphore>,
}

/// A lane at work.
pub(crate) struct Started {
    backend: LedgerBackend,
    bringing: [JoinHandle<()>; 2],
    pub(crate) handling: JoinHandle<()>,
}

impl Lane {
    /// One for each queue that has handlers of its own, and one that all others share.
    pub(crate) fn all(queues: &[String], options: &Options) -> Vec<Self> {
        let (own, others): (Vec<_>, Vec<_>) = queues
            .iter()
            .cloned()
            .partition(|queue| options.own.contains_key(queue));
        let mut lanes: Vec<_> = own
            .into_iter()
            .map(|queue| {
                let concurrency = options.own[&queue];
                Self::new(vec![queue], concurrency)
            })
            .collect();
        if !others.is_empty() || lanes.is_empty() {
            lanes.push(Self::new(others, options.concurrency));
        }
        lanes
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

    /// Starts to bring jobs in, and to run them.
    pub(crate) fn start(&self, crew: &Crew, background: &TaskTracker, shutdown: &CancellationToken) -> Started {
        let (jobs, receiver) = mpsc::channel(self.concurrency + self.ahead);
        let backend = LedgerBackend::new(receiver);
        let limited = Arc::new(Limited {
            job_store: crew.job_store.clone(),
            queues: self.queues.clone(),
            worker: crew.info.name.clone(),
            lease: crew.options.lease,
            held: Arc::clone(&crew.held),
            slots: Arc::clone(&self.slots),
            jobs: jobs.clone(),
            shutdown: shutdown.clone(),
        });
        let driver = Arc::new(Driver {
            job_store: crew.job_store.clone(),
            queues: self.queues.clone(),
            worker: crew.info.name.clone(),
            lease: crew.options.lease,
            held: Arc::clone(&crew.held),
            slots: Arc::clone(&self.slots),
            ahead: self.ahead,
            jobs,
            shutdown: shutdown.clone(),
            turns: Mutex::default(),
        });
        let handling = handle(
            format!("{} {}", crew.info.name, self.queues.join(" ")),
            backend.clone(),
            Arc::clone(&crew.workshop),
            self.concurrency,
            shutdown.clone(),
        );
        Started {
            backend,
            bringing: [
                background.spawn(keep("limited queues", shutdown.clone(), move || {
                    Arc::clone(&limited).round()
                })),
                background.spawn(keep("driver", shutdown.clone(), move || Arc::clone(&driver).round())),
            ],
            handling: tokio::spawn(handling),
        }
    }

    /// Waits until it holds no job.
    pub(crate) async fn settled(&self) {
        let all = u32::try_from(self.concurrency + self.ahead).unwrap_or(u32::MAX);
        drop(self.slots.acquire_many(all).await);
    }
}

impl Started {
    /// After shutdown: waits until no more jobs are brought in; those that no handler has started.
    pub(crate) async fn no_more_come(&mut self) -> Vec<LeasedJob> {
        for bringing in &mut self.bringing {
            drop(bringing.await);
        }
        self.backend.take_waiting()
    }
}

/// Runs apalis until shutdown. It may end early by its own mistake; then it is started again.
async fn handle(
    name: String,
    backend: LedgerBackend,
    workshop: Arc<Workshop>,
    concurrency: usize,
    shutdown: CancellationToken,
) {
    let mut ended_early = 0;
    loop {
        let (name, backend, workshop) = (name.clone(), backend.clone(), Arc::clone(&workshop));
        let monitor = Monitor::new()
            .register(move |_| {
                WorkerBuilder::new(name.as_str())
                    .backend(backend.clone())
                    .data(Arc::clone(&workshop))
                    .concurrency(concurrency)
                    .parallelize(tokio::spawn)
                    .build(attempt::run)
            })
            .should_restart(|_, _| true);
        let ended = run_until(monitor, &shutdown).await;
        if shutdown.is_cancelled() {
            return;
        }
        ended_early += 1;
        error!(?ended, ended_early, "apalis stopped by itself and is started again");
        shutdown
            .run_until_cancelled(tokio::time::sleep(RESTART.after(ended_early)))
            .await;
    }
}

/// Unlike [`Monitor::run_with_signal`] this also ends when the monitor's workers do.
async fn run_until(monitor: Monitor, shutdown: &CancellationToken) -> Result<(), MonitorError> {
    let context = monitor.context();
    let mut running = std::pin::pin!(monitor.run());
    tokio::select! {
        ended = &mut running => ended,
        () = shutdown.cancelled() => {
            context.shutdown()?;
            running.await
        }
    }
}
