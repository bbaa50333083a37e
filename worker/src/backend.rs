//! The jobs table as apalis sees it: a backend whose tasks are jobs that this process holds a lease on.
//! The driver claims them; here they only pass by, through a channel, so that no wake-up can be lost.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
};

use apalis_core::{
    backend::{Backend, BackendConfig, finalize::Ephemeral},
    task::{Task, builder::TaskBuilder},
    worker::context::WorkerContext,
};
use tokio::sync::mpsc;
use tower::layer::util::Identity;

use crate::held::LeasedJob;

/// The receiving end of the driver's channel. A clone is the same end: a worker that apalis starts again goes on
/// where the one before it stopped.
#[derive(Clone)]
pub(crate) struct LedgerBackend {
    jobs: Arc<Mutex<mpsc::Receiver<LeasedJob>>>,
}

impl LedgerBackend {
    pub(crate) fn new(jobs: mpsc::Receiver<LeasedJob>) -> Self {
        Self {
            jobs: Arc::new(Mutex::new(jobs)),
        }
    }

    /// The jobs that were claimed and that no handler has started.
    pub(crate) fn take_waiting(&self) -> Vec<LeasedJob> {
        let mut jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        std::iter::from_fn(|| jobs.try_recv().ok()).collect()
    }
}

impl Backend for LedgerBackend {
    type Task = Task<LeasedJob>;
    type Error = Infallible;

    fn poll_ready(&mut self, _: &mut Context<'_>, _: &WorkerContext) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn poll_next(
        &mut self,
        cx: &mut Context<'_>,
        _: &WorkerContext,
    ) -> Poll<Option<Result<Task<LeasedJob>, Infallible>>> {
        let mut jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        jobs.poll_recv(cx)
            .map(|job| job.map(|job| Ok(TaskBuilder::new(job).build())))
    }

    fn poll_close(&mut self, _: &mut Context<'_>, _: &WorkerContext) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }
}

impl BackendConfig for LedgerBackend {
    type Args = LeasedJob;
    type Id = uuid::Uuid;
    type Kind = Ephemeral;
    type Config = ();
    type Layer = Identity;

    fn config(&self) -> &() {
        &()
    }

    fn middleware(&mut self, _: &mut WorkerContext) -> Identity {
        Identity::new()
    }
}
