//! What this process counts and measures, in Prometheus' text format. Services count here, and whatever serves
//! `/metrics` renders it; nothing here knows HTTP. Labels are bounded: names that the program has, never what a client
//! sent.

mod labels;
mod own;
mod pools;
mod process;
mod registry;
mod service;

pub use labels::{Counters, Durations, Labels};
pub use own::{OwnMetric, add_metrics};
pub use prometheus_client::{
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::Metric,
};
pub use registry::{Metrics, text_of};
pub use service::{InFlight, ServiceMetrics};
