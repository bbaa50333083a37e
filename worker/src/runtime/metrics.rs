//! Counters and histograms of this process by kind of job, for Prometheus.

use std::{collections::BTreeMap, time::Duration};

use prometheus_client::{
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::Registry,
};
use usher_shared::foundation::metrics::{Counters, Durations, Labels, text_of};

/// Upper bounds in seconds: from an immediate wake-up to the longest jobs.
const BOUNDS: [f64; 10] = [0.001, 0.005, 0.025, 0.1, 0.5, 1.0, 5.0, 30.0, 120.0, 600.0];

/// The counts of one kind since the process started.
struct Counts {
    started: Counter,
    done: Counter,
    failed: Counter,
    dead: Counter,
    running: Gauge,
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
    registry: Registry,
    kinds: BTreeMap<&'static str, Counts>,
    unknown: Counts,
    /// Mails by outcome.
    pub(super) mails: Counters<1>,
}

impl Metrics {
    pub(crate) fn new(kinds: impl Iterator<Item = &'static str>) -> Self {
        let mut registry = Registry::default();
        let mut counters = |name: &str, help: &str| {
            let counters = Counters::default();
            registry.register(name, help, counters.clone());
            counters
        };
        let started = counters("usher_jobs_started", "Runs started");
        let done = counters("usher_jobs_done", "Runs that succeeded");
        let failed = counters("usher_jobs_failed", "Runs that failed, retried or not");
        let dead = counters("usher_jobs_dead", "Jobs that failed for good");
        let mails = counters("usher_mails", "Emails tried, by outcome");
        let running = Family::<Labels<1>, Gauge>::default();
        registry.register("usher_jobs_running", "Runs in progress", running.clone());
        let mut durations = |name: &str, help: &str| {
            let durations = Durations::new_with_constructor(|| Histogram::new(BOUNDS));
            registry.register(name, help, durations.clone());
            durations
        };
        let help = "Time from when a job was due until it started";
        let latency = durations("usher_job_latency_seconds", help);
        let run = durations("usher_job_run_seconds", "Duration of runs");
        let counts = |kind: &'static str| {
            let labels = [("kind", kind.into())];
            Counts {
                started: started.get_or_create_owned(&labels),
                done: done.get_or_create_owned(&labels),
                failed: failed.get_or_create_owned(&labels),
                dead: dead.get_or_create_owned(&labels),
                running: running.get_or_create_owned(&labels),
                latency: latency.get_or_create_owned(&labels),
                run: run.get_or_create_owned(&labels),
            }
        };
        Self {
            kinds: kinds.map(|kind| (kind, counts(kind))).collect(),
            unknown: counts("unknown"),
            registry,
            mails,
        }
    }

    /// Counts the start of a run, this long after the job was due.
    pub(super) fn started(&self, kind: &str, latency: Duration) {
        let counts = self.of(kind);
        counts.latency.observe(latency.as_secs_f64());
        counts.started.inc();
        counts.running.inc();
    }

    pub(super) fn ended(&self, kind: &str, how: Ended, took: Duration) {
        let counts = self.of(kind);
        counts.running.dec();
        counts.run.observe(took.as_secs_f64());
        match how {
            Ended::Done => counts.done.inc(),
            Ended::Retried => counts.failed.inc(),
            Ended::Dead => {
                counts.failed.inc();
                counts.dead.inc()
            }
            Ended::Otherwise => 0,
        };
    }

    fn of(&self, kind: &str) -> &Counts {
        self.kinds.get(kind).unwrap_or(&self.unknown)
    }

    /// The text that `/metrics` serves.
    pub(super) fn render(&self) -> String {
        text_of(&self.registry)
    }
}
