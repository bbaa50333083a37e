//! What happened, as a stream that others can rely on.
//!
//! An event is a row that is written in the transaction of its change: it is there if and only if the change is. Its id
//! is its position. Readers follow the stream by position, and [`Feed`] shows them an event only once no smaller
//! position can appear any more (`shared/src/events/horizon.rs`).

mod batch;
mod erase;
mod event_type;
mod feed;
mod horizon;
mod listener;
mod page;
mod record;
mod signal;

pub use batch::{Batch, Recorded};
pub use erase::{erase_person, remove_before};
pub use event_type::{EventType, add_event_types};
pub use feed::Feed;
pub use listener::{Listener, News};
pub use page::{Head, Heads, Page, Selection};
pub use record::{Event, MAX_DATA_BYTES, record, record_all, record_one};
