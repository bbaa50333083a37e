//! Counters of this process in Prometheus' text form.

use std::{
    collections::BTreeMap,
    fmt::Write,
    sync::atomic::{AtomicU64, Ordering},
};

use crate::Registry;

/// What was counted for one kind since the process started.
#[derive(Default)]
pub(crate) struct Counts {
    started: AtomicU64,
    done: AtomicU64,
    retried: AtomicU64,
    dead: AtomicU64,
    running: AtomicU64,
}

/// How a run ended, as far as the counters tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    Done,
    Retried,
    Dead,
    /// Snoozed, cancelled, given back or lost.
    Otherwise,
}

/// One set of counters for each registered kind, and one for all others: labels are bounded.
pub(crate) struct Metrics {
    kinds: BTreeMap<&'static str, Counts>,
    unknown: Counts,
}

impl Metrics {
    pub(crate) fn new(registry: &Registry) -> Self {
        Self {
            kinds: registry.kinds().map(|kind| (kind, Counts::default())).collect(),
            unknown: Counts::default(),
        }
    }

    pub(crate) fn started(&self, kind: &str) {
        let counts = self.of(kind);
        counts.started.fetch_add(1, Ordering::Relaxed);
        counts.running.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn ended(&self, kind: &str, how: Ended) {
        let counts = self.of(kind);
        counts.running.fetch_sub(1, Ordering::Relaxed);
        let counter = match how {
            Ended::Done => &counts.done,
            Ended::Retried => &counts.retried,
            Ended::Dead => &counts.dead,
            Ended::Otherwise => return,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    fn of(&self, kind: &str) -> &Counts {
        self.kinds.get(kind).unwrap_or(&self.unknown)
    }

    /// The text that `/metrics` serves.
    pub(crate) fn render(&self) -> String {
        type Read = fn(&Counts) -> &AtomicU64;
        let families: [(&str, &str, &str, Read); 5] = [
            ("usher_jobs_started_total", "counter", "Runs started", |counts| {
                &counts.started
            }),
            (
                "usher_jobs_done_total",
                "counter",
                "Runs that did their job",
                |counts| &counts.done,
            ),
            (
                "usher_jobs_retried_total",
                "counter",
                "Runs that failed and will be tried again",
                |counts| &counts.retried,
            ),
            (
                "usher_jobs_dead_total",
                "counter",
                "Jobs that were given up",
                |counts| &counts.dead,
            ),
            ("usher_jobs_running", "gauge", "Runs now in progress", |counts| {
                &counts.running
            }),
        ];
        let mut text = String::new();
        for (name, form, help, read) in families {
            let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {form}");
            for (kind, counts) in self.kinds.iter().chain([(&"unknown", &self.unknown)]) {
                let value = read(counts).load(Ordering::Relaxed);
                let _ = writeln!(text, "{name}{{kind=\"{kind}\"}} {value}");
            }
        }
        text
    }
}
