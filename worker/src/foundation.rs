//! What mail, handlers and the runtime are built with. Imports none of them.

pub(crate) mod backoff;
mod error;
pub(crate) mod time_limit;

pub use backoff::Backoff;
pub use error::JobError;
