//! Importing users from a CSV file: a dry-run job that checks the file, and a job that writes what was checked.

use sea_orm::{DbErr, EntityTrait};
use serde::{Deserialize, Serialize};
use thiserror::Error;
use uuid::Uuid;

use crate::{
    accounts::staff::bulk::order::OrderError,
    audit::{self, Actor, Entry, ObjectType},
    foundation::{
        entity::job::{self, JobState},
        time::new_id,
    },
    jobs::{
        EnqueueError, EnqueueOptions, Job, LONG_QUEUE, Priority, Tx, enqueue_with,
        files::{Direction, Writer},
    },
};

/// The largest file, in bytes.
pub const MAX_BYTES: usize = 16 * 1024 * 1024;
/// The most rows in one file.
pub const MAX_ROWS: usize = 100_000;

/// The permission needed to order one.
pub const PERMISSION: &str = "users.import";

/// The payload of both jobs.
///
/// The dry run's result is `{"rows": n, "new": n, "changed": n, "unchanged": n, "faulty": n, "faults": [{"line": n,
/// "fault": "…"}], "file": id, "changes": id, "ignored": ["…"]}`: the first faults, a file with all of them, a file of
/// old and new values, for staff who may view users, and the ignored columns; or `{"refused": "…"}`. The import's is
/// `{"done": n, "skipped": n, "failed": n}`; its `job_items` are the lines.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportUsers {
    pub file_id: Uuid,
    /// Only checks the file.
    pub dry_run: bool,
    /// Whether new users get a welcome mail.
    pub welcome: bool,
    #[serde(default)]
    pub blank: Blank,
    pub actor: Actor,
}

/// What a blank cell means for an existing user.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Blank {
    /// The value stays.
    #[default]
    Keep,
    /// The value is cleared.
    Clear,
}

/// The columns of the file with the changes.
pub const CHANGE_COLUMNS: [&str; 5] = ["line", "email", "field", "before", "after"];

impl Job for ImportUsers {
    const KIND: &'static str = "import_users";
    const QUEUE: &'static str = LONG_QUEUE;
    const PRIORITY: Priority = Priority::Low;
}

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

/// Stores the file and enqueues the dry run; returns its job's id.
pub async fn check(tx: &Tx, name: &str, bytes: &[u8], blank: Blank, actor: &Actor) -> Result<Uuid, ImportError> {
    if bytes.len() > MAX_BYTES {
        return Err(ImportError::TooLarge(bytes.len()));
    }
    // The file belongs to the job, and the job's payload has the file's id, so the id comes first.
    let file_id = new_id();
    let job = ImportUsers {
        file_id,
        dry_run: true,
        welcome: false,
        blank,
        actor: actor.clone(),
    };
    let job_id = enqueue_with(tx, job, EnqueueOptions::by(actor)).await?.id();
    let mut writer = Writer::create_as(&**tx, file_id, job_id, Direction::In, name, "text/csv").await?;
    writer.write(bytes).await?;
    writer.finish().await?;
    Ok(job_id)
}

/// Enqueues the import of a file that a finished dry run has checked; returns its job's id.
pub async fn run(tx: &Tx, checked: Uuid, welcome: bool, actor: &Actor) -> Result<Uuid, ImportError> {
    let checked = job::Entity::find_by_id(checked).one(&**tx).await?;
    let checked = checked.filter(|job| job.kind == ImportUsers::KIND && job.state == JobState::Done);
    let payload = checked.and_then(|job| serde_json::from_value::<ImportUsers>(job.payload).ok());
    let checked = payload.filter(|job| job.dry_run).ok_or(ImportError::NotChecked)?;
    let job = ImportUsers {
        dry_run: false,
        welcome,
        actor: actor.clone(),
        ..checked
    };
    // One at a time per file: a second click finds the first one's job.
    let options = EnqueueOptions::by(actor).unique(job.file_id.to_string());
    let job_id = enqueue_with(tx, job, options).await?.id();
    audit::record(&**tx, actor, Entry::about(ObjectType::Job, job_id, "users", "import")).await?;
    Ok(job_id)
}
