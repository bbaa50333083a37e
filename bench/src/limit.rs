//! The database's own limit: the same statements sent by pgbench, prepared, from as many clients.

use std::{io::Write, path::PathBuf, process::Command};

use anyhow::{Context, Result, ensure};

/// Transactions a second of this script, for five seconds.
pub fn pgbench(url: &str, script: &str, clients: usize) -> Result<f64> {
    let mut file = tempfile::NamedTempFile::new()?;
    file.write_all(script.as_bytes())?;
    let output = Command::new(program())
        .args(["--no-vacuum", "--protocol=prepared", "--time=5", "--jobs=2"])
        .arg(format!("--client={clients}"))
        .arg("--file")
        .arg(file.path())
        .arg(url)
        .output()
        .context("pgbench is missing: install postgresql")?;
    ensure!(
        output.status.success(),
        "pgbench: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8_lossy(&output.stdout);
    let tps = text.lines().find_map(|line| line.strip_prefix("tps = "));
    let tps = tps
        .and_then(|line| line.split_whitespace().next())
        .context("pgbench said no tps")?;
    Ok(tps.parse()?)
}

/// Debian keeps it beside the server, not in the path.
fn program() -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let found = versions
        .map(|version| version.path().join("bin/pgbench"))
        .find(|path| path.exists());
    found.unwrap_or_else(|| PathBuf::from("pgbench"))
}
