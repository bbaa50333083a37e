//! A file in two jobs: one that checks it, and one that imports what was checked.

use sea_orm::{DbErr, EntityTrait};
use thiserror::Error;
use uuid::Uuid;

use crate::{
    accounts::staff::bulk::order::OrderError,
    audit::{self, Actor, Entry, ObjectType},
    foundation::entity::job::{self, JobState},
    jobs::{
        EnqueueError, EnqueueOptions, Enqueued, Job, Tx, enqueue_with,
        files::{Direction, Writer},
    },
};

/// The largest file, in bytes.
pub const MAX_BYTES: usize = 16 * 1024 * 1024;
/// The most rows in one file.
pub const MAX_ROWS: usize = 100_000;

/// Why a file is not imported.
#[derive(Debug, Error)]
pub enum ImportError {
    #[error("the file has {0} bytes, more than {MAX_BYTES}: split it")]
    TooLarge(usize),
    #[error("preview the file first, and wait until the preview is finished")]
    NotChecked,
    #[error(transparent)]
    Order(#[from] OrderError),
}

impl From<DbErr> for ImportError {
    fn from(error: DbErr) -> Self {
        Self::Order(error.into())
    }
}

impl From<EnqueueError> for ImportError {
    fn from(error: EnqueueError) -> Self {
        Self::Order(error.into())
    }
}

/// A file that somebody has chosen.
#[derive(Clone, Copy, Debug)]
pub(super) struct Chosen<'a> {
    /// In the payload of both jobs. The file belongs to the first one, so its id is made before.
    pub(super) id: Uuid,
    pub(super) name: &'a str,
    pub(super) bytes: &'a [u8],
}

/// Stores the file and enqueues its dry run; returns the job's id.
pub(super) async fn enqueue_check(
    tx: &Tx,
    dry_run: impl Job,
    file: Chosen<'_>,
    actor: &Actor,
) -> Result<Uuid, ImportError> {
    if file.bytes.len() > MAX_BYTES {
        return Err(ImportError::TooLarge(file.bytes.len()));
    }
    let job_id = enqueue_with(tx, dry_run, EnqueueOptions::by(actor)).await?.id();
    let mut writer = Writer::create_as(&**tx, file.id, job_id, Direction::In, file.name, "text/csv").await?;
    writer.write(file.bytes).await?;
    writer.finish().await?;
    Ok(job_id)
}

/// The payload of a job of this kind that has ended well.
pub(super) async fn finished<J: Job>(tx: &Tx, id: Uuid) -> Result<J, ImportError> {
    let job = job::Entity::find_by_id(id).one(&**tx).await?;
    let job = job.filter(|job| job.kind == J::KIND && job.state == JobState::Done);
    let payload = job.and_then(|job| serde_json::from_value(job.payload).ok());
    payload.ok_or(ImportError::NotChecked)
}

/// Enqueues the import of a file of these objects, with an audit row, unless it is under way; returns the job's id.
pub(super) async fn enqueue_run(
    tx: &Tx,
    import: impl Job,
    file_id: Uuid,
    objects: &str,
    actor: &Actor,
) -> Result<Uuid, ImportError> {
    // One at a time per file: a second click finds the first one's job.
    let options = EnqueueOptions::by(actor).unique(file_id.to_string());
    let enqueued = enqueue_with(tx, import, options).await?;
    if let Enqueued::New(id) = enqueued {
        audit::record(&**tx, actor, Entry::about(ObjectType::Job, id, objects, "import")).await?;
    }
    Ok(enqueued.id())
}
