//! What a handler is given besides its job.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use sea_orm::{DatabaseConnection, DbErr};
use usher_shared::{
    foundation::{
        config::Config,
        db::InTime,
        entity::{job, mail_token},
    },
    jobs::{Claim, JobStore, Tx},
};

use crate::{
    Delivery, JobError, Mailer,
    keep::{CALL_LIMIT, within},
    mailer::{Desk, Ending},
    metrics::Metrics,
};

/// The surroundings of one run. Cheap to clone.
#[derive(Clone)]
pub struct JobContext {
    /// Its statements fail when there is no answer within 30 s; those that may take longer run on `&*context.db`.
    pub db: InTime<DatabaseConnection>,
    pub job_store: JobStore,
    pub config: Arc<Config>,
    pub mailer: Mailer,
    /// The job's row as it was claimed: its id, attempt, who caused it.
    pub job: Arc<job::Model>,
    pub(crate) claim: Claim,
    pub(crate) completed: Arc<AtomicBool>,
    /// Set while the job's end is being written.
    pub(crate) ending: Arc<AtomicBool>,
    pub(crate) desk: Desk,
    pub(crate) metrics: Arc<Metrics>,
    /// Made for the mail to come, and written with it.
    pub(crate) tokens: Arc<Mutex<Vec<mail_token::ActiveModel>>>,
}

impl JobContext {
    /// Starts a transaction for the job's effects, and for the jobs that follow from it; see [`JobContext::complete`].
    pub async fn begin(&self) -> Result<Tx, DbErr> {
        self.job_store.begin().await
    }

    /// Marks the job done in this transaction and commits it: the effects happen exactly once, with the job's end.
    /// Somebody else may have taken the job over meanwhile; then nothing is committed, and the error says so. A commit
    /// without an answer fails as well: should it have been carried out, the job is done and does not run again.
    pub async fn complete(&self, tx: Tx) -> Result<(), JobError> {
        self.finish(tx, None).await
    }

    /// [`JobContext::complete`], with a result for staff to see.
    pub async fn complete_with(&self, tx: Tx, result: serde_json::Value) -> Result<(), JobError> {
        self.finish(tx, Some(result)).await
    }

    /// Tells staff how far a long job is, in percent.
    pub async fn progress(&self, percent: i16) -> Result<(), JobError> {
        Ok(within(CALL_LIMIT, self.job_store.progress(self.claim, percent)).await?)
    }

    /// Marks the job done together with its mail, and with whatever other jobs end at the same time.
    pub(crate) async fn end(&self, delivery: Delivery, welcomed: Option<i64>) -> Result<(), JobError> {
        let ending = Ending {
            claim: self.claim,
            gone: delivery.gone,
            welcomed,
        };
        self.writing_end(self.desk.end(ending)).await?;
        self.completed.store(true, Ordering::Release);
        Ok(())
    }

    pub(crate) fn take_tokens(&self) -> Vec<mail_token::ActiveModel> {
        std::mem::take(&mut self.tokens.lock().unwrap_or_else(PoisonError::into_inner))
    }

    async fn finish(&self, tx: Tx, result: Option<serde_json::Value>) -> Result<(), JobError> {
        // The database may have fallen silent while the handler did its work.
        self.writing_end(async {
            within(CALL_LIMIT, self.job_store.complete(&*tx, self.claim, result)).await?;
            within(CALL_LIMIT, tx.commit()).await
        })
        .await?;
        self.completed.store(true, Ordering::Release);
        Ok(())
    }

    async fn writing_end<E>(&self, write: impl Future<Output = Result<(), E>>) -> Result<(), E> {
        self.ending.store(true, Ordering::Release);
        let written = write.await;
        self.ending.store(written.is_ok(), Ordering::Release);
        written
    }
}
