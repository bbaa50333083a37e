//! Times of many runs, and what this process costs.

use std::{fs, time::Duration};

use anyhow::{Context, Result};

/// Milliseconds at quantile `q`, 0–1, by nearest rank.
pub fn quantile(times: &mut [Duration], q: f64) -> f64 {
    times.sort_unstable();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "an index"
    )]
    let index = ((times.len() as f64 * q).ceil() as usize).clamp(1, times.len().max(1)) - 1;
    times.get(index).map_or(f64::NAN, |time| time.as_secs_f64() * 1_000.0)
}

/// Times a second.
pub fn rate(count: usize, took: Duration) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a rate")]
    let count = count as f64;
    count / took.as_secs_f64()
}

/// CPU time that this process has used, in clock ticks of 10 ms.
pub fn cpu_ticks() -> f64 {
    cpu_ticks_of(std::process::id())
}

/// The same of another process.
pub fn cpu_ticks_of(process: u32) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let field = |index: usize| {
        fields
            .get(index)
            .and_then(|text| text.parse::<f64>().ok())
            .unwrap_or(0.0)
    };
    field(11) + field(12)
}

/// Resident memory of this process in MiB.
pub fn memory() -> f64 {
    memory_of(std::process::id())
}

/// The same of another process.
pub fn memory_of(process: u32) -> f64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line
        .and_then(|line| line.split_whitespace().next())
        .and_then(|text| text.parse::<f64>().ok());
    kib.unwrap_or(0.0) / 1_024.0
}

/// MiB of memory, where pages that processes share are divided among them.
pub fn proportional_memory(process: u32) -> Result<f64> {
    let rollup = fs::read_to_string(format!("/proc/{process}/smaps_rollup"))?;
    let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:"));
    let kib: f64 = line
        .and_then(|line| line.split_whitespace().next())
        .context("no Pss in smaps_rollup")?
        .parse()?;
    Ok(kib / 1_024.0)
}
