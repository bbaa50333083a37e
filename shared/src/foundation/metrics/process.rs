//! The process itself, under the standard Prometheus names.

use std::{
    fmt, fs,
    time::{SystemTime, UNIX_EPOCH},
};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric},
    metrics::{counter::ConstCounter, gauge::ConstGauge},
};

/// Clock ticks per second in `/proc/self/stat`: a constant of Linux's interface, whatever the kernel's own clock rate.
const TICKS: f64 = 100.0;

/// Reads `/proc` at each scrape; what cannot be read is omitted.
#[derive(Debug)]
pub(super) struct Process {
    started: f64,
}

impl Process {
    pub(super) fn started_now() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        Self {
            started: since.unwrap_or_default().as_secs_f64(),
        }
    }
}

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let (to, started) = (&mut encoder, Some(ConstGauge::new(self.started)));
        let help = "When the process started, in seconds since 1970.";
        tell(to, "process_start_time_seconds", help, started)?;
        let cpu = cpu_seconds().map(ConstCounter::new);
        tell(to, "process_cpu_seconds", "Processor time of all threads.", cpu)?;
        let memory = resident_bytes().map(ConstGauge::new);
        tell(to, "process_resident_memory_bytes", "Memory in use.", memory)?;
        let files = open_files().map(ConstGauge::new);
        tell(to, "process_open_fds", "Open files and connections.", files)
    }
}

fn tell(to: &mut DescriptorEncoder<'_>, name: &str, help: &str, metric: Option<impl EncodeMetric>) -> fmt::Result {
    let Some(metric) = metric else { return Ok(()) };
    metric.encode(to.encode_descriptor(name, help, None, metric.metric_type())?)
}

/// User and system time, the 14th and 15th field of proc_pid_stat(5); the second holds any text, in parentheses.
fn cpu_seconds() -> Option<f64> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    let (_, fields) = stat.rsplit_once(") ")?;
    let mut fields = fields.split(' ').skip(11);
    let (user, system): (f64, f64) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    Some((user + system) / TICKS)
}

fn resident_bytes() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kibibytes * 1024)
}

fn open_files() -> Option<usize> {
    Some(fs::read_dir("/proc/self/fd").ok()?.count())
}
