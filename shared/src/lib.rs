//! What all services of Usher share: settings, the schema, the rules of accounts, and jobs.
//! It knows nothing of HTTP, templates or SMTP.
//!
//! The parts build on each other in this order, and none imports a later one: [`foundation`], [`audit`], [`events`],
//! [`jobs`], [`webhooks`], [`accounts`]. [`AppContext`] opens them together.

mod context;
mod service;

pub mod accounts;
pub mod audit;
pub mod events;
pub mod foundation;
pub mod jobs;
pub mod webhooks;

pub use context::{AppContext, OpenError};
pub use service::run_service;
