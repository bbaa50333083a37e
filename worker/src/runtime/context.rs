//! What a handler gets besides its job.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, Ordering},
};

use sea_orm::{DatabaseConnection, DbErr};
use usher_shared::{
    foundation::{
        cache::Cache,
        config::Config,
        db::InTime,
        entity::{job, mail_token},
        file_store::FileStore,
    },
    jobs::{Claim, JobStore, Tx},
};

use super::metrics::Metrics;
use crate::{
    foundation::{
        JobError,
        time_limit::{CALL_LIMIT, within},
    },
    mail::{Delivery, Ending, MailBatcher, Mailer},
};

/// What one run of a handler can use. Cheap to clone.
#[derive(Clone)]
pub struct JobContext {
    /// Statements fail after 30 s without an answer; run those that may take longer on `&*context.db`.
    pub db: InTime<DatabaseConnection>,
    pub job_store: JobStore,
    pub config: Arc<Config>,
    pub cache: Cache,
    pub mailer: Mailer,
    /// The job's row as it was claimed: its id, its attempt, who caused it.
    pub job: Arc<job::Model>,
    pub(crate) claim: Claim,
    pub(crate) completed: Arc<AtomicBool>,
    /// Set while the job's outcome is being written.
    pub(crate) ending: Arc<AtomicBool>,
    pub(crate) mail_batcher: MailBatcher,
    pub(crate) metrics: Arc<Metrics>,
    /// Made for the job's mail, and written with it.
    pub(crate) tokens: Arc<Mutex<Vec<mail_token::ActiveModel>>>,
}

impl JobContext {
    /// Files of the product.
    #[must_use]
    pub fn files(&self) -> FileStore {
        FileStore::new(self.config.file_store.clone(), self.job_store.db().clone())
    }

    /// Starts a transaction for the job's effects and for the jobs that it enqueues; see [`JobContext::complete`].
    pub async fn begin(&self) -> Result<Tx, DbErr> {
        self.job_store.begin().await
    }

    /// Marks the job done in this transaction and commits it, so the effects happen exactly once. Fails, and commits
    /// nothing, when another worker has taken over the job. A commit without an answer fails as well; if it was carried
    /// out after all, the job is done and doesn't run again.
    pub async fn complete(&self, tx: Tx) -> Result<(), JobError> {
        self.finish(tx, None).await
    }

    /// [`JobContext::complete`], with a result for staff to see.
    pub async fn complete_with(&self, tx: Tx, result: serde_json::Value) -> Result<(), JobError> {
        self.finish(tx, Some(result)).await
    }

    /// Shows staff how far a long job is, in percent.
    pub async fn progress(&self, percent: i16) -> Result<(), JobError> {
        Ok(within(CALL_LIMIT, self.job_store.progress(self.claim, percent)).await?)
    }

    /// Marks the job done together with its mail, in one batch with other jobs that end at the same time.
    pub(crate) async fn end(&self, delivery: Delivery, welcomed: Option<i64>) -> Result<(), JobError> {
        let ending = Ending {
            claim: self.claim,
            gone: delivery.gone,
            welcomed,
        };
        self.writing_end(self.mail_batcher.end(ending)).await?;
        self.completed.store(true, Ordering::Release);
        Ok(())
    }

    async fn finish(&self, tx: Tx, result: Option<serde_json::Value>) -> Result<(), JobError> {
        // The connection may have fallen silent while the handler did its work.
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
