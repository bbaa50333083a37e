//! Users from a CSV file: a job that only looks, and one that writes what the other has looked at.

use sea_orm::{DbErr, EntityTrait};
use serde::{Deserialize, Serialize};
use thiserror::Error;
use uuid::Uuid;

use crate::{
    accounts::staff::bulk::order::OrderError,
    audit::{self, Actor, Entry},
    foundation::entity::job::{self, JobState},
    jobs::{
        EnqueueError, EnqueueOptions, Job, LONG_QUEUE, Priority, Tx, enqueue_with,
        files::{Direction, Writer},
    },
};

/// The largest file, in bytes.
pub const MAX_BYTES: usize = 16 * 1024 * 1024;
/// Rows of one file at most.
pub const MAX_ROWS: usize = 100_000;

/// What it takes to order one.
pub const PERMISSION: &str = "users.import";

/// The payload of both jobs.
///
/// The first one's result is `{"rows": n, "new": n, "changed": n, "unchanged": n, "faulty": n, "faults": [{"line": n,
/// "fault": "…"}], "file": id, "changes": id, "ignored": ["…"]}` with the first faults, all of which are in the file, a
/// file of old and new values, which are for whoever may see users, and the columns that are left alone; or
/// `{"refused": "…"}`.
/// The second one's is `{"done": n, "skipped": n, "failed": n}`; its `job_items` are the lines.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportUsers {
    pub file_id: Uuid,
    /// Only looks.
    pub dry_run: bool,
    /// Whether new users are welcomed by mail.
    pub welcome: bool,
    #[serde(default)]
    pub blank: Blank,
    pub actor: Actor,
}

/// What a blank cell means for a user who is here already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Blank {
    /// Nothing: the value stays.
    #[default]
    Keep,
    /// The value is taken away.
    Clear,
}

/// The columns of the file of changes.
pub const CHANGE_COLUMNS: [&str; 5] = ["line", "email", "field", "before", "after"];

impl Job for ImportUsers {
    const KIND: &'static str = "import_users";
    const QUEUE: &'static str = LONG_QUEUE;
    const PRIORITY: Priority = Priority::Low;
}

/// Why a file is not imported.
#[derive(Debug, Error)]
pub enum ImportError {
    #[error("the file has {0} bytes; {MAX_BYTES} at most: split it")]
    TooLarge(usize),
    #[error("look at the file first: there is no finished dry run of it")]
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

/// Keeps the file and orders the dry run; answers its job.
pub async fn check(tx: &Tx, name: &str, bytes: &[u8], blank: Blank, actor: &Actor) -> Result<Uuid, ImportError> {
    if bytes.len() > MAX_BYTES {
        return Err(ImportError::TooLarge(bytes.len()));
    }
    // The file belongs to the job, and the job names the file: its id comes first.
    let file_id = Uuid::now_v7();
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

/// Orders the import of the file that a finished dry run has looked at; answers its job.
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
    // One at a time for one file: a second click meets the first.
    let options = EnqueueOptions::by(actor).unique(job.file_id.to_string());
    let job_id = enqueue_with(tx, job, options).await?.id();
    let entry = Entry {
        action: "import",
        object_type: "job",
        object_id: Some(job_id.to_string()),
        object_label: Some("users".to_owned()),
        ..Entry::default()
    };
    audit::record(&**tx, actor, entry).await?;
    Ok(job_id)
}
