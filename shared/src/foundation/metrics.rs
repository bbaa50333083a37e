//! What this process counts and measures, in Prometheus' text format. Services count here, and whatever serves
//! `/metrics` renders it; nothing here knows HTTP. Labels are bounded: names that the program has, never what a client
//! sent.

mod counters;
mod histogram;
mod pools;
mod process;
mod registry;
mod service;
mod text;

pub use counters::Counters;
pub use histogram::Histogram;
pub use registry::Metrics;
pub use service::{InFlight, ServiceMetrics};
pub use text::head;
