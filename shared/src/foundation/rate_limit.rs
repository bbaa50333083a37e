//! Rate limits. They are shared through Redis where there is one; while it doesn't answer, each process counts for
//! itself.

mod attempt;
pub mod bucket;
mod limiter;
mod local;
mod policy;
mod quota;

pub use attempt::{Attempt, Guesser};
pub use limiter::{Decision, RateLimiter};
pub use policy::{Policy, RateLimits};
pub use quota::Quota;
