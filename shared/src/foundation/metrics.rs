//! What this process counts and measures, in Prometheus' text format. Services count here, and whatever serves
//! `/metrics` renders it; nothing here knows HTTP. Labels are bounded: names that the program has, never what a client
//! sent.

mod labels;
mod pools;
mod process;
mod registry;
mod service;

pub use labels::{Counters, Durations, Labels};
pub use registry::{Metrics, text_of};
pub use service::{InFlight, ServiceMetrics};
