//! One action on many rows: ordered in one transaction, carried out by a job one row at a time. A million rows need no
//! open request, a crash repeats nothing, and each row has its outcome and its audit row.

mod apply;
pub(super) mod items;
pub(super) mod order;
mod own;

pub use apply::{BulkError, OrderingActor};
pub use items::{Tally, left, tally};
pub use order::{BulkAction, BulkJob, Objects, OrderError, Ordered, order};
pub(in crate::accounts) use own::BULK_ACTIONS;
pub use own::{Applied, AppliedFuture, BulkExtension, BulkRow, OwnAction};
