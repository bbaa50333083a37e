//! The audit log's only entry point: a row beside each change, in the same transaction; and the proof that nobody
//! rewrote it.

mod actor;
mod chain;
mod changes;
mod object_type;
mod record;
mod refusals;

pub use actor::Actor;
pub use chain::{Verdict, seal, verify};
pub use changes::{changes, made};
pub use object_type::{ObjectType, present_word, spellings};
pub use record::{Entry, record, record_all, row};
pub use refusals::record_refusal;
