//! Makes sure that no server and no folder outlives the tests: statics are never dropped and a
//! killed process drops nothing, so a `sh` child waits for its stdin to close and cleans up then.

use std::{
    io::Write,
    os::unix::process::CommandExt,
    path::Path,
    process::{ChildStdin, Command, Stdio},
    sync::{LazyLock, Mutex, PoisonError},
};

static WATCHER: LazyLock<Mutex<ChildStdin>> = LazyLock::new(|| {
    #[expect(clippy::zombie_processes, reason = "it outlives this process")]
    let mut watcher = Command::new("/bin/sh")
        .args(["-c", include_str!("watcher.sh"), "watcher"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .current_dir("/")
        .process_group(0) // Ctrl-C in the terminal must not reach it
        .spawn()
        .expect("/bin/sh starts");
    Mutex::new(watcher.stdin.take().expect("its stdin is a pipe"))
});

/// A process group to end with `signal` (`TERM`, `QUIT`, …) when this process ends.
pub fn started(pid: u32, signal: &str) {
    tell(&format!("started {pid} {signal}"));
}

/// That process was waited for.
pub fn ended(pid: u32) {
    tell(&format!("ended {pid}"));
}

/// A folder to remove when this process ends.
pub fn folder(path: &Path) {
    tell(&format!("folder {}", path.display()));
}

fn tell(line: &str) {
    let mut watcher = WATCHER.lock().unwrap_or_else(PoisonError::into_inner);
    writeln!(watcher, "{line}").expect("the watcher reads its stdin");
}
