//! The queue in front of the jobs table: it carries wake-ups, may lose any of them, and never delays a commit.

mod contract;
mod in_process;
mod poll_only;
mod redis_lists;

use std::sync::Arc;

pub use contract::{Transport, TransportError, WakeUp};
pub use poll_only::PollOnly;

/// The transport of this process: Redis if there is one, else memory if all services are in this process, else none.
#[must_use]
pub fn connect(redis: Option<&redis::Client>, one_process: bool) -> Arc<dyn Transport> {
    match redis {
        Some(client) => Arc::new(redis_lists::RedisLists::new(client)),
        None if one_process => Arc::new(in_process::InProcess::default()),
        None => Arc::new(PollOnly),
    }
}
