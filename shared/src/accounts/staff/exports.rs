//! Ordering an export, which a job writes. The worker decides what is in the file.

use serde::{Deserialize, Serialize};
use strum::IntoStaticStr;

use crate::{
    accounts::staff::bulk::order::{Objects, OrderError, Ordered, list},
    audit::{self, Actor, Entry, ObjectType},
    jobs::{EnqueueOptions, Job, LONG_QUEUE, Priority, Tx, enqueue_with},
};

/// What is exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, IntoStaticStr)]
#[strum(serialize_all = "snake_case", const_into_str)]
#[serde(rename_all = "snake_case")]
pub enum Exported {
    Users,
    Jobs,
    Mails,
    AuditLog,
}

impl Exported {
    /// The table's name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.into_str()
    }

    /// The permissions needed to order one: to export, and to view.
    #[must_use]
    pub const fn permissions(self) -> [&'static str; 2] {
        match self {
            Self::Users => ["users.export", "users.view"],
            Self::Jobs => ["jobs.export", "jobs.view"],
            Self::Mails => ["mails.export", "mails.view"],
            Self::AuditLog => ["audit.export", "audit.view"],
        }
    }
}

/// The file's format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    Csv,
    Json,
}

/// The payload of the job that makes the file. Its result is `{"file": id, "rows": n, "bytes": n}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportJob {
    pub what: Exported,
    pub format: Format,
    /// Whether the rows are those in `job_items`; otherwise all.
    pub chosen: bool,
    /// Who ordered it, and must still have the permission while it runs.
    pub actor: Actor,
}

impl Job for ExportJob {
    const KIND: &'static str = "export";
    const QUEUE: &'static str = LONG_QUEUE;
    const PRIORITY: Priority = Priority::Low;
}

/// Orders an export of these rows, or of all if none are given, with an audit row.
pub async fn order(
    tx: &Tx,
    what: Exported,
    format: Format,
    objects: Option<Objects>,
    actor: &Actor,
) -> Result<Ordered, OrderError> {
    let job = ExportJob {
        what,
        format,
        chosen: objects.is_some(),
        actor: actor.clone(),
    };
    let chosen = job.chosen;
    let job_id = enqueue_with(tx, job, EnqueueOptions::by(actor)).await?.id();
    let rows = match objects {
        Some(objects) => list(tx, job_id, objects).await?,
        None => 0,
    };
    let entry = Entry {
        changes: chosen.then(|| serde_json::json!({ "rows": [null, rows] })),
        ..Entry::about(ObjectType::Job, job_id, what.as_str(), "export")
    };
    audit::record(&**tx, actor, entry).await?;
    Ok(Ordered { job_id, rows })
}
