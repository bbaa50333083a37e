//! Serves an axum router until it is told to stop. `axum::serve` waits for the head of a request as long as the client
//! likes, so a few thousand slow clients can hold every connection; here they have a limit.

mod coding;
mod host;
mod lists;
mod metrics;
mod server;

pub use coding::{accepts, is_plain, settle_coding};
pub use lists::{elements, quality};
pub use metrics::{METRICS_TYPE, serve_metrics};
pub use server::{Patience, serve};
