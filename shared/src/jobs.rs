//! The job store: a job is a row, written in the transaction that caused it. A wake-up sent after the commit makes it
//! start at once; workers also poll the table, for every job whose wake-up was lost.

mod claims;
mod cron;
mod due;
mod enqueue;
pub mod files;
mod finish;
mod job;
mod job_store;
mod kinds;
mod limits;
pub mod mail_suppressions;
pub mod mails;
mod operations;
mod outcomes;
mod prune;
mod queues;
mod schedules;
mod sweep;
mod transport;
mod workers;

pub use claims::{Claim, LeaseRow};
pub use due::{Due, QueueCursors};
pub use enqueue::{
    EnqueueError, EnqueueOptions, Enqueued, MAX_PAYLOAD_BYTES, Origin, enqueue, enqueue_all, enqueue_polled,
    enqueue_with,
};
pub use finish::Completer;
pub use job::{Job, Priority};
pub use job_store::{JobStore, Tx};
pub use kinds::{
    AddressOfDeletedAccount, ApiKeyChanged, DeleteAccount, DeletionScheduled, EmailChangeConfirm, EmailChangeUndo,
    KeyChange, LONG_QUEUE, MAIL_QUEUE, MfaChange, MfaChanged, NewSignIn, PasswordChanged, PasswordReset, SessionReuse,
    SomeoneTriedToSignUp, VerifyEmail, WelcomeEmail,
};
pub use operations::{OperationError, cancel, delete, find_for_change, retry, run_now};
pub use outcomes::{CompleteError, Failure};
pub use prune::{Pruned, Retention};
pub use queues::{is_paused, is_queue_name, pause_queue};
pub use schedules::{
    Schedule, ScheduleError, check_pattern, enable_schedule, next_occurrence, next_occurrences, run_schedule,
};
pub use sweep::{MAX_CRASHES, Swept};
pub use transport::{PollOnly, Transport, TransportError, WakeUp, connect};
pub use workers::WorkerInfo;
