//! The job ledger: a job is a row, written in the transaction that caused it. A wake-up to the queue after the
//! commit makes it start at once; workers look into the jobs table for every job whose wake-up was lost.

mod claims;
mod cron;
mod due;
mod enqueue;
pub mod files;
mod finish;
mod in_process;
mod job_store;
mod kinds;
mod limits;
pub mod mail_suppressions;
pub mod mails;
mod prune;
mod redis_lists;
mod schedules;
mod sql;
mod staff;
mod sweep;
mod transport;
mod workers;

use serde::{Serialize, de::DeserializeOwned};

pub use claims::{Claim, CompleteError, Failure, Held};
pub use due::{Due, Place};
pub use enqueue::{EnqueueError, Enqueued, MAX_PAYLOAD_BYTES, Options, Origin, enqueue, enqueue_all, enqueue_with};
pub use finish::Finisher;
pub use job_store::{JobStore, Tx};
pub use kinds::{
    AddressOfDeletedAccount, ApiKeyChanged, DeleteAccount, DeletionScheduled, EmailChangeConfirm, EmailChangeUndo,
    KeyChange, LONG_QUEUE, MAIL_QUEUE, MfaChange, MfaChanged, NewSignIn, PasswordChanged, PasswordReset, SessionReuse,
    SomeoneTriedToSignUp, VerifyEmail, WelcomeEmail,
};
pub use prune::{Pruned, Retention};
pub use schedules::{
    Schedule, ScheduleError, check_pattern, enable_schedule, next_occurrence, next_occurrences, run_schedule,
};
pub use staff::{
    StaffError, cancel, delete, find_for_change, is_paused, is_queue_name, pause_queue, replay, replay_as, run_now,
};
pub use sweep::{MAX_CRASHES, Swept};
pub use transport::{PollOnly, Transport, TransportError, WakeUp, connect};
pub use workers::WorkerInfo;

pub(crate) use redis_lists::manager as connection_manager;
pub(crate) use sql::Sql;

/// The payload of one kind of job. It holds ids, never secrets, tokens or whole documents.
pub trait Job: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// A stable word. Renaming the type must not strand what is queued.
    const KIND: &'static str;
    /// The payload's shape; the worker reads the previous one for a release.
    const VERSION: i16 = 1;
    const QUEUE: &'static str = "default";
    const PRIORITY: Priority = Priority::Normal;

    /// The user it concerns, by whose page staff find it.
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
