//! The process itself, under the standard Prometheus names.

use std::{
    fmt::Write,
    fs,
    sync::LazyLock,
    time::{SystemTime, UNIX_EPOCH},
};

use super::text::head;

/// Clock ticks per second in `/proc/self/stat`: a constant of Linux's interface, whatever the kernel's own clock rate.
const TICKS: f64 = 100.0;

static STARTED: LazyLock<f64> = LazyLock::new(|| {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap_or_default().as_secs_f64()
});

/// Remembers when the process started; later calls change nothing.
pub(super) fn note_start() {
    LazyLock::force(&STARTED);
}

pub(super) fn render(text: &mut String) {
    let version = env!("CARGO_PKG_VERSION");
    head(text, "usher_build_info", "gauge", "Which program this is");
    let _ = writeln!(text, "usher_build_info{{version=\"{version}\"}} 1");
    let mut tell = |name: &str, form: &str, help: &str, value: Option<f64>| {
        if let Some(value) = value {
            head(text, name, form, help);
            let _ = writeln!(text, "{name} {value}");
        }
    };
    tell(
        "process_start_time_seconds",
        "gauge",
        "When the process started, in seconds since 1970",
        Some(*STARTED),
    );
    tell(
        "process_cpu_seconds_total",
        "counter",
        "Processor time of all threads",
        cpu_seconds(),
    );
    tell(
        "process_resident_memory_bytes",
        "gauge",
        "Memory in use",
        resident_bytes(),
    );
    tell("process_open_fds", "gauge", "Open files and connections", open_files());
}

/// User and system time, the 14th and 15th field of proc_pid_stat(5); the second holds any text, in parentheses.
fn cpu_seconds() -> Option<f64> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    let (_, fields) = stat.rsplit_once(") ")?;
    let mut fields = fields.split(' ').skip(11);
    let (user, system): (f64, f64) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    Some((user + system) / TICKS)
}

fn resident_bytes() -> Option<f64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: f64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kibibytes * 1024.0)
}

fn open_files() -> Option<f64> {
    let count = fs::read_dir("/proc/self/fd").ok()?.count();
    u32::try_from(count).ok().map(f64::from)
}
