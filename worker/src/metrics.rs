//! What this process counted and measured, kind by kind, in Prometheus' text form; and what waits in the ledger.

mod backlog;
mod histogram;

use std::{
    collections::BTreeMap,
    fmt::Write,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use crate::Registry;

pub(crate) use backlog::Backlog;

use histogram::Histogram;

/// What was counted for one kind since the process started.
#[derive(Default)]
pub(crate) struct Counts {
    started: AtomicU64,
    done: AtomicU64,
    failed: AtomicU64,
    dead: AtomicU64,
    running: AtomicU64,
    latency: Histogram,
    run: Histogram,
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

    /// A run starts, this long after the job was due.
    pub(crate) fn started(&self, kind: &str, latency: Duration) {
        let counts = self.of(kind);
        counts.latency.observe(latency);
        counts.started.fetch_add(1, Ordering::Relaxed);
        counts.running.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn ended(&self, kind: &str, how: Ended, took: Duration) {
        let counts = self.of(kind);
        let count = |counter: &AtomicU64| counter.fetch_add(1, Ordering::Relaxed);
        counts.running.fetch_sub(1, Ordering::Relaxed);
        counts.run.observe(took);
        match how {
            Ended::Done => count(&counts.done),
            Ended::Retried => count(&counts.failed),
            Ended::Dead => {
                count(&counts.failed);
                count(&counts.dead)
            }
            Ended::Otherwise => 0,
        };
    }

    fn of(&self, kind: &str) -> &Counts {
        self.kinds.get(kind).unwrap_or(&self.unknown)
    }

    /// The text that `/metrics` serves.
    pub(crate) fn render(&self) -> String {
        let mut text = String::new();
        for (name, form, help, read) in COUNTERS {
            let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {form}");
            for (kind, counts) in self.all() {
                let value = read(counts).load(Ordering::Relaxed);
                let _ = writeln!(text, "{name}{{kind=\"{kind}\"}} {value}");
            }
        }
        for (name, help, read) in HISTOGRAMS {
            let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} histogram");
            for (kind, counts) in self.all() {
                read(counts).render(&mut text, name, kind);
            }
        }
        text
    }

    fn all(&self) -> impl Iterator<Item = (&'static str, &Counts)> {
        let known = self.kinds.iter().map(|(kind, counts)| (*kind, counts));
        known.chain([("unknown", &self.unknown)])
    }
}

type Counter = fn(&Counts) -> &AtomicU64;
type Read = fn(&Counts) -> &Histogram;

/// Name, type, help.
const COUNTERS: [(&str, &str, &str, Counter); 5] = [
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
        "usher_jobs_failed_total",
        "counter",
        "Runs that failed, tried again or not",
        |counts| &counts.failed,
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

/// Name, help.
const HISTOGRAMS: [(&str, &str, Read); 2] = [
    (
        "usher_job_latency_seconds",
        "From the time a job was due to the start of its run",
        |counts| &counts.latency,
    ),
    (
        "usher_job_run_seconds",
        "From the start of a run to its end",
        |counts| &counts.run,
    ),
];
