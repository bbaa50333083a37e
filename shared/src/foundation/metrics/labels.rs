//! Metrics with labels.

use std::borrow::Cow;

use prometheus_client::metrics::{counter::Counter, family::Family, histogram::Histogram};

/// Names and values of labels. Each combination is kept until the process exits, so there must be few.
pub type Labels<const N: usize> = [(&'static str, Cow<'static, str>); N];
/// A counter for each combination of labels.
pub type Counters<const N: usize> = Family<Labels<N>, Counter>;
/// A histogram of seconds for each combination of labels.
pub type Durations<const N: usize> = Family<Labels<N>, Histogram, fn() -> Histogram>;
