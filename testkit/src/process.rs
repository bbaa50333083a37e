//! One child process in a group and a folder of its own, with its log in a file. It ends with its
//! owner, and with the test process at the latest.

use std::{
    fs::{self, File},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

pub use rustix::process::Signal;
use rustix::process::{Pid, kill_process, kill_process_group, test_kill_process_group};
use tempfile::TempDir;

use crate::watcher;

/// A temporary folder that is removed with its owner, and with the test process at the latest.
pub struct Folder(TempDir);

impl Folder {
    /// Makes a folder under the system's temporary folder.
    #[must_use]
    pub fn new() -> Self {
        let folder = tempfile::Builder::new()
            .prefix("usher-")
            .tempdir()
            .expect("a temporary folder");
        watcher::folder(folder.path());
        Self(folder)
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// The path of an entry in it, as text.
    #[must_use]
    pub fn join(&self, name: &str) -> String {
        self.path().join(name).display().to_string()
    }
}

impl Default for Folder {
    fn default() -> Self {
        Self::new()
    }
}

/// A running child.
pub struct Process {
    name: String,
    child: Child,
    log: PathBuf,
    stop_signal: Signal,
    /// Nothing of its group is left.
    over: bool,
}

impl Process {
    /// Starts `command`; its output goes to `log` (appended, so that a second start keeps the first
    /// one's words) and `stop_signal` is how it is asked to end.
    pub fn start(name: &str, mut command: Command, log: PathBuf, stop_signal: Signal) -> Self {
        let output = File::options()
            .create(true)
            .append(true)
            .open(&log)
            .expect("a log file");
        let child = command
            .stdin(Stdio::null())
            .stdout(output.try_clone().expect("a second handle of the log"))
            .stderr(output)
            .process_group(0)
            .spawn()
            .unwrap_or_else(|error| panic!("{name} does not start: {error}; ./test installs what the tests need"));
        let word = if stop_signal == Signal::QUIT { "QUIT" } else { "TERM" };
        watcher::started(child.id(), word);
        Self {
            name: name.to_owned(),
            child,
            log,
            stop_signal,
            over: false,
        }
    }

    /// Its process id, which is its group's too.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it wrote to stdout and stderr until now.
    #[must_use]
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// How it ended, or `None` while it runs.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("the process can be waited for")
    }

    /// Panics with its log when it has ended on its own.
    pub fn expect_running(&mut self) {
        if let Some(status) = self.ended() {
            panic!("{} ended with {status}; its log:\n{}", self.name, self.log());
        }
    }

    /// Sends `signal` to the process alone.
    pub fn signal(&mut self, signal: Signal) {
        if self.ended().is_none() {
            kill_process(self.pid(), signal).expect("an own child takes a signal");
        }
    }

    /// Waits for its end, or gives `None` after `limit`.
    pub async fn wait(&mut self, limit: Duration) -> Option<ExitStatus> {
        let end = Instant::now() + limit;
        loop {
            if let Some(status) = self.ended() {
                watcher::ended(self.id());
                return Some(status);
            }
            if Instant::now() > end {
                return None;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Asks it to end and waits; what is left of its group after ten seconds is killed.
    pub fn stop(&mut self) {
        self.signal(self.stop_signal);
        let end = Instant::now() + Duration::from_secs(10);
        while self.ended().is_none() && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(5));
        }
        self.kill();
    }

    /// Kills its whole group with SIGKILL and waits until nothing of it is left.
    pub fn kill(&mut self) {
        if self.over {
            return; // another process may have its id by now
        }
        let _ = kill_process_group(self.pid(), Signal::KILL); // gone already is as good
        self.child.wait().expect("the process can be waited for");
        watcher::ended(self.id());
        let end = Instant::now() + Duration::from_secs(3);
        while test_kill_process_group(self.pid()).is_ok() && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(5));
        }
        self.over = true;
    }

    fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.stop();
    }
}
