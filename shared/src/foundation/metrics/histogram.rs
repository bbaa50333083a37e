//! Durations in Prometheus buckets.

use std::{
    fmt::Write,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

/// Counts durations by bucket; counting is two atomic additions.
#[derive(Debug)]
pub struct Histogram {
    /// Upper bounds in seconds, ascending; one more bucket takes the rest.
    bounds: &'static [f64],
    buckets: Box<[AtomicU64]>,
    sum_micros: AtomicU64,
}

impl Histogram {
    /// With these upper bounds in seconds, ascending.
    #[must_use]
    pub fn new(bounds: &'static [f64]) -> Self {
        Self {
            bounds,
            buckets: (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect(),
            sum_micros: AtomicU64::new(0),
        }
    }

    pub fn observe(&self, took: Duration) {
        let seconds = took.as_secs_f64();
        let bucket = self.bounds.partition_point(|bound| *bound < seconds);
        self.buckets[bucket].fetch_add(1, Ordering::Relaxed);
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.sum_micros.fetch_add(micros, Ordering::Relaxed);
    }

    /// The lines with these labels, such as `kind="welcome_email"`.
    pub fn render(&self, text: &mut String, name: &str, labels: &str) {
        let mut count = 0;
        for (index, bucket) in self.buckets.iter().enumerate() {
            count += bucket.load(Ordering::Relaxed);
            let bound = self.bounds.get(index).map_or("+Inf".to_owned(), ToString::to_string);
            let _ = writeln!(text, "{name}_bucket{{{labels},le=\"{bound}\"}} {count}");
        }
        let sum = Duration::from_micros(self.sum_micros.load(Ordering::Relaxed)).as_secs_f64();
        let _ = writeln!(text, "{name}_sum{{{labels}}} {sum}\n{name}_count{{{labels}}} {count}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_count_everything_up_to_their_bound() {
        let histogram = Histogram::new(&[0.001, 0.005, 0.025, 600.0]);
        for millis in [1, 3, 5, 6, 700_000] {
            histogram.observe(Duration::from_millis(millis));
        }
        let mut text = String::new();
        histogram.render(&mut text, "x", "kind=\"probe\"");
        for line in [
            "x_bucket{kind=\"probe\",le=\"0.001\"} 1",
            "x_bucket{kind=\"probe\",le=\"0.005\"} 3",
            "x_bucket{kind=\"probe\",le=\"0.025\"} 4",
            "x_bucket{kind=\"probe\",le=\"600\"} 4",
            "x_bucket{kind=\"probe\",le=\"+Inf\"} 5",
            "x_sum{kind=\"probe\"} 700.015",
            "x_count{kind=\"probe\"} 5",
        ] {
            assert!(text.lines().any(|each| each == line), "{line} is not in\n{text}");
        }
    }
}
