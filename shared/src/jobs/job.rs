//! What a kind of job is.

use serde::{Serialize, de::DeserializeOwned};

/// The payload of one kind of job. It holds ids, never secrets, tokens or whole documents.
pub trait Job: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// Stable: renaming the type must not strand what is queued.
    const KIND: &'static str;
    /// The payload's shape; the worker reads the previous one for a release.
    const VERSION: i16 = 1;
    const QUEUE: &'static str = "default";
    const PRIORITY: Priority = Priority::Normal;

    /// The user it concerns; staff find the job on that user's page.
    fn user_id(&self) -> Option<i64> {
        None
    }
}

/// Which of the due jobs of a queue runs first; `jobs.priority` holds the number, smaller first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Priority {
    High = 1,
    #[default]
    Normal = 5,
    Low = 9,
}

impl Priority {
    pub const ALL: [Self; 3] = [Self::High, Self::Normal, Self::Low];

    #[must_use]
    pub const fn number(self) -> i16 {
        self as i16
    }
}
