//! Counters and histograms of this process by kind of job, and the backlog in the jobs table, for Prometheus.

use std::{
    collections::BTreeMap,
    fmt::Write,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use usher_shared::foundation::metrics::{Counters, Histogram, head};

/// Upper bounds in seconds: from an immediate wake-up to the longest jobs.
const BOUNDS: [f64; 10] = [0.001, 0.005, 0.025, 0.1, 0.5, 1.0, 5.0, 30.0, 120.0, 600.0];

/// The counts of one kind since the process started.
struct Counts {
    started: AtomicU64,
    done: AtomicU64,
    failed: AtomicU64,
    dead: AtomicU64,
    running: AtomicU64,
    latency: Histogram,
    run: Histogram,
}

/// How a run ended, for the counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    Done,
    Retried,
    Dead,
    /// Snoozed, cancelled, given back or lost.
    Otherwise,
}

/// Counts for each registered kind, and for all others together, so that labels are bounded.
pub(crate) struct Metrics {
    kinds: BTreeMap<&'static str, Counts>,
    unknown: Counts,
    /// Mails by outcome.
    pub(super) mails: Counters,
}

impl Default for Counts {
    fn default() -> Self {
        let count = || AtomicU64::new(0);
        Self {
            started: count(),
            done: count(),
            failed: count(),
            dead: count(),
            running: count(),
            latency: Histogram::new(&BOUNDS),
            run: Histogram::new(&BOUNDS),
        }
    }
}

impl Metrics {
    pub(crate) fn new(kinds: impl Iterator<Item = &'static str>) -> Self {
        Self {
            kinds: kinds.map(|kind| (kind, Counts::default())).collect(),
            unknown: Counts::default(),
            mails: Counters::new("usher_mails_total", "Emails tried, by outcome", "outcome"),
        }
    }

    /// Counts the start of a run, this long after the job was due.
    pub(super) fn started(&self, kind: &str, latency: Duration) {
        let counts = self.of(kind);
        counts.latency.observe(latency);
        counts.started.fetch_add(1, Ordering::Relaxed);
        counts.running.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn ended(&self, kind: &str, how: Ended, took: Duration) {
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
    pub(super) fn render(&self) -> String {
        let mut text = String::new();
        for (name, form, help, read) in COUNTERS {
            head(&mut text, name, form, help);
            for (kind, counts) in self.all() {
                let value = read(counts).load(Ordering::Relaxed);
                let _ = writeln!(text, "{name}{{kind=\"{kind}\"}} {value}");
            }
        }
        for (name, help, read) in HISTOGRAMS {
            head(&mut text, name, "histogram", help);
            for (kind, counts) in self.all() {
                read(counts).render(&mut text, name, &format!("kind=\"{kind}\""));
            }
        }
        self.mails.render(&mut text);
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
    ("usher_jobs_done_total", "counter", "Runs that succeeded", |counts| {
        &counts.done
    }),
    (
        "usher_jobs_failed_total",
        "counter",
        "Runs that failed, retried or not",
        |counts| &counts.failed,
    ),
    (
        "usher_jobs_dead_total",
        "counter",
        "Jobs that failed for good",
        |counts| &counts.dead,
    ),
    ("usher_jobs_running", "gauge", "Runs in progress", |counts| {
        &counts.running
    }),
];

/// Name, help.
const HISTOGRAMS: [(&str, &str, Read); 2] = [
    (
        "usher_job_latency_seconds",
        "Time from when a job was due until it started",
        |counts| &counts.latency,
    ),
    ("usher_job_run_seconds", "Duration of runs", |counts| &counts.run),
];
