//! wrk with a script of ours, and what it says.

use std::{io::Write, process::Command, time::Duration};

use anyhow::{Context, Result, ensure};

use super::{scripts::Operation, server::Server};
use crate::sample::cpu_ticks_of;

pub struct Wrk<'a> {
    server: &'a Server,
    time: Duration,
}

/// What came of one run.
pub struct Load {
    /// Answers a second.
    pub rate: f64,
    /// Milliseconds.
    pub p50: f64,
    pub p99: f64,
    /// CPU time of the API for one answer, in microseconds.
    pub cpu: f64,
}

/// Printed by every script at the end, because wrk's own report is for people.
const REPORT: &str = r#"
done = function(summary, latency)
  local wrong = summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout
  io.write(string.format("\nREPORT %d %d %d %d %d %d\n", summary.requests, summary.duration,
    latency:percentile(50), latency:percentile(99), summary.errors.status, wrong))
end
"#;

impl<'a> Wrk<'a> {
    pub fn new(server: &'a Server, time: Duration) -> Self {
        Self { server, time }
    }

    /// Runs the operation; fails when an answer is not the one that it is about.
    pub fn run(&self, operation: Operation, connections: usize) -> Result<Load> {
        let mut script = tempfile::Builder::new().suffix(".lua").tempfile()?;
        write!(script, "{}{REPORT}", operation.script(self.server))?;
        let before = cpu_ticks_of(self.server.id());
        let output = Command::new("wrk")
            .args(["--threads=1", &format!("--connections={connections}")])
            .arg(format!("--duration={}s", self.time.as_secs()))
            // Password hashes queue: a late answer is an answer.
            .arg("--timeout=30s")
            .arg("--script")
            .arg(script.path())
            .arg(self.server.url())
            .output()
            .context("wrk is missing: install wrk")?;
        let ticks = cpu_ticks_of(self.server.id()) - before;
        let text = String::from_utf8_lossy(&output.stdout);
        let report = text.lines().find_map(|line| line.strip_prefix("REPORT "));
        let report = report.with_context(|| format!("wrk said {text} {}", String::from_utf8_lossy(&output.stderr)))?;
        let numbers: Vec<f64> = report.split(' ').filter_map(|number| number.parse().ok()).collect();
        let [requests, micros, p50, p99, refused, failed] = numbers[..] else {
            anyhow::bail!("wrk reported {report}");
        };
        let expected = if operation.is_refused() { requests } else { 0.0 };
        ensure!(
            failed == 0.0 && (refused - expected).abs() < 1.0,
            "{}: of {requests} answers {refused} were errors, and {failed} did not come",
            operation.name()
        );
        Ok(Load {
            rate: requests / micros * 1e6,
            p50: p50 / 1e3,
            p99: p99 / 1e3,
            cpu: ticks * 10_000.0 / requests,
        })
    }
}
