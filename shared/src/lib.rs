//! What all services of Usher share: settings, the schema, the rules of accounts, and jobs.
//! It knows nothing of HTTP, templates or SMTP.
//!
//! The parts stand on each other in this order, and none imports one that follows it:
//! [`foundation`], [`audit`], [`jobs`], [`accounts`]. [`AppContext`] opens them together.

mod context;

pub mod accounts;
pub mod audit;
pub mod foundation;
pub mod jobs;

pub use context::{AppContext, OpenError};
