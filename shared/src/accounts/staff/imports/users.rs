//! The import of users.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::order::{Chosen, ImportError, enqueue_check, enqueue_run, finished};
use crate::{
    audit::Actor,
    foundation::time::new_id,
    jobs::{Job, LONG_QUEUE, Priority, Tx},
};

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

/// Stores the file and enqueues the dry run; returns its job's id.
pub async fn check(tx: &Tx, name: &str, bytes: &[u8], blank: Blank, actor: &Actor) -> Result<Uuid, ImportError> {
    let id = new_id();
    let job = ImportUsers {
        file_id: id,
        dry_run: true,
        welcome: false,
        blank,
        actor: actor.clone(),
    };
    enqueue_check(tx, job, Chosen { id, name, bytes }, actor).await
}

/// Enqueues the import of a file that a finished dry run has checked; returns its job's id.
pub async fn run(tx: &Tx, checked: Uuid, welcome: bool, actor: &Actor) -> Result<Uuid, ImportError> {
    let checked: ImportUsers = finished(tx, checked).await?;
    if !checked.dry_run {
        return Err(ImportError::NotChecked);
    }
    let file_id = checked.file_id;
    let job = ImportUsers {
        dry_run: false,
        welcome,
        actor: actor.clone(),
        ..checked
    };
    enqueue_run(tx, job, file_id, "users", actor).await
}
