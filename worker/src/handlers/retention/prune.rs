//! `prune`: removes old jobs and mails.

use serde::{Deserialize, Serialize};
use usher_shared::jobs::{Job, Priority, Pruned, Retention};

use crate::{foundation::JobError, runtime::JobContext};

/// Removes what is older than [`Retention`]. Safe to run twice.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Prune {}

impl Job for Prune {
    const KIND: &'static str = "prune";
    const PRIORITY: Priority = Priority::Low;
}

pub(crate) async fn prune(_: Prune, context: JobContext) -> Result<(), JobError> {
    let mut all = Pruned::default();
    loop {
        let batch = context.job_store.prune(Retention::default()).await?;
        if batch == Pruned::default() {
            break;
        }
        all.jobs += batch.jobs;
        all.mails += batch.mails;
    }
    tracing::info!(jobs = all.jobs, mails = all.mails, "pruned");
    Ok(())
}
