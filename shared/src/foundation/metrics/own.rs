//! Metrics of a product.

use std::fmt;

use prometheus_client::registry::{Metric, Registry};

use crate::foundation::registered::Registered;

static METRICS: Registered<Vec<OwnMetric>> = Registered::new();

/// Adds metrics to those of Usher, in each service of this process. Only the first call counts: a process runs one
/// product.
pub fn add_metrics(metrics: Vec<OwnMetric>) {
    METRICS.set(metrics);
}

/// Reports the product's metrics in this registry.
pub(super) fn register(registry: &mut Registry) {
    for metric in METRICS.all() {
        (metric.register)(registry);
    }
}

/// A metric of one app.
pub struct OwnMetric {
    name: &'static str,
    register: Box<dyn Fn(&mut Registry) + Send + Sync>,
}

impl fmt::Debug for OwnMetric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("OwnMetric").field(&self.name).finish()
    }
}

impl OwnMetric {
    /// A metric under this name, with a sentence on what it counts.
    pub fn new(name: &'static str, help: &'static str, metric: impl Metric + Clone) -> Self {
        Self {
            name,
            register: Box::new(move |registry| registry.register(name, help, metric.clone())),
        }
    }

    /// Its name, without the `_total` of counters.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Refuses a name that Prometheus can't read, or that may be one of Usher's.
    ///
    /// # Errors
    /// What is wrong with it, as a sentence.
    pub fn check(&self) -> Result<(), String> {
        let name = self.name;
        let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        if !name.starts_with(|first: char| first.is_ascii_lowercase()) || !name.bytes().all(is_plain) {
            return Err(format!("the metric {name:?} has no name of a-z, 0-9 and _"));
        }
        if ["usher_", "process_"].iter().any(|prefix| name.starts_with(prefix)) {
            return Err(format!(
                "the metric {name} has a name of Usher's; begin it with the app's"
            ));
        }
        if name.ends_with("_total") {
            return Err(format!(
                "the metric {name} ends in _total, which counters get by themselves"
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use prometheus_client::metrics::counter::Counter;

    use super::*;

    #[test]
    fn names_that_cannot_be_meant_are_refused() {
        let fault = |name| OwnMetric::new(name, "Books", Counter::<u64>::default()).check();
        assert_eq!(fault("books_read"), Ok(()));
        for (name, expected) in [
            ("books read", "the metric \"books read\" has no name of a-z, 0-9 and _"),
            ("", "the metric \"\" has no name of a-z, 0-9 and _"),
            (
                "usher_books",
                "the metric usher_books has a name of Usher's; begin it with the app's",
            ),
            (
                "books_total",
                "the metric books_total ends in _total, which counters get by themselves",
            ),
        ] {
            assert_eq!(fault(name), Err(expected.to_owned()));
        }
    }
}
