//! A real binary of the workspace in a process of its own, with exactly the environment it is given.

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use crate::process::{Folder, Process, Signal};

/// A start on a busy machine takes seconds, not half a minute.
const READY_WITHIN: Duration = Duration::from_secs(30);

/// What to run.
#[derive(Clone)]
pub struct Program {
    name: String,
    binary: PathBuf,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    ready_at: Vec<String>,
}

impl Program {
    /// A binary of the workspace by its name: `usher`, `usher-api`, …
    ///
    /// Cargo builds another package's binaries only when it is asked to, as `./test` does with
    /// `cargo build --workspace --bins`.
    #[must_use]
    pub fn named(name: &str) -> Self {
        let this = std::env::current_exe().expect("a program knows its own file");
        // A test lies in target/<profile>/deps, a benchmark beside what it runs.
        let binary = this.ancestors().skip(1).take(2).map(|folder| folder.join(name));
        let binary = binary.into_iter().find(|path| path.is_file());
        let binary = binary.unwrap_or_else(|| panic!("no binary {name}: run `cargo build --workspace --bins`"));
        Self::at(binary)
    }

    /// A program by its path.
    #[must_use]
    pub fn at(binary: impl Into<PathBuf>) -> Self {
        let binary = binary.into();
        let name = binary.display().to_string();
        Self {
            name,
            binary,
            arguments: vec![],
            environment: vec![],
            ready_at: vec![],
        }
    }

    /// Adds one argument.
    #[must_use]
    pub fn arg(mut self, argument: impl Into<String>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// Sets a variable; it has no others.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl Into<String>) -> Self {
        self.environment.push((name.to_owned(), value.into()));
        self
    }

    /// Lets it believe in another time, such as `+10m`, by libfaketime; intervals are to it what they are.
    #[must_use]
    pub fn at_another_time(self, offset: &str) -> Self {
        let folders = std::fs::read_dir("/usr/lib").expect("libraries").flatten();
        let mut files = folders.map(|folder| folder.path().join("faketime/libfaketimeMT.so.1"));
        let library = files
            .find(|file| file.is_file())
            .expect("libfaketime, which ./test installs");
        self.env("LD_PRELOAD", library.display().to_string())
            .env("FAKETIME", offset)
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
    }

    /// An address (`127.0.0.1:8000`) whose `/health/ready` must answer 200 before the start is done.
    #[must_use]
    pub fn ready_at(mut self, address: impl Into<String>) -> Self {
        self.ready_at.push(address.into());
        self
    }

    /// Starts it in `folder` and waits until it is ready; panics with its log when it ends before.
    pub async fn start(&self, folder: &Folder) -> Running {
        let mut running = self.launch(folder.path());
        for address in &self.ready_at {
            running.ready(address).await;
        }
        running
    }

    /// Runs it to its end in `folder`: its exit code and all that it wrote. Panics after `limit`.
    pub async fn finish(&self, folder: &Folder, limit: Duration) -> (i32, String) {
        let mut running = self.launch(folder.path());
        let code = running.end(limit).await;
        (code, running.log())
    }

    fn launch(&self, folder: &Path) -> Running {
        let mut command = Command::new(&self.binary);
        command
            .args(&self.arguments)
            .env_clear()
            .envs(self.environment.iter().cloned())
            .current_dir(folder);
        let log = Folder::new();
        let process = Process::start(&self.name, command, log.path().join("log"), Signal::TERM);
        Running {
            name: self.name.clone(),
            process,
            _log: log,
        }
    }
}

/// A started program; killed when dropped.
pub struct Running {
    name: String,
    process: Process,
    _log: Folder,
}

impl Running {
    /// All that it wrote to stdout and stderr until now.
    #[must_use]
    pub fn log(&self) -> String {
        self.process.log()
    }

    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Sends SIGTERM and waits for the end, for 40 seconds at most; gives the exit code.
    pub async fn terminate(mut self) -> i32 {
        self.process.signal(Signal::TERM);
        self.end(Duration::from_secs(40)).await
    }

    /// Ends it with SIGKILL, as a crash or a lack of memory would.
    pub fn kill(mut self) {
        self.process.kill();
    }

    /// Stands it still (SIGSTOP), as a machine that is moved or swaps does.
    pub fn freeze(&mut self) {
        self.process.signal(Signal::STOP);
    }

    /// Lets it go on (SIGCONT).
    pub fn thaw(&mut self) {
        self.process.signal(Signal::CONT);
    }

    /// Whether it has not ended yet.
    pub fn is_running(&mut self) -> bool {
        self.process.ended().is_none()
    }

    async fn end(&mut self, limit: Duration) -> i32 {
        match self.process.wait(limit).await {
            Some(status) => status
                .code()
                .unwrap_or_else(|| panic!("{} was ended by {status}", self.name)),
            None => panic!("{} did not end within {limit:?}; its log:\n{}", self.name, self.log()),
        }
    }

    /// Waits until `/health/ready` of an address answers 200; panics with its log after 30 seconds.
    pub async fn ready(&mut self, address: &str) {
        let client = reqwest::Client::builder()
            .no_proxy()
            .timeout(Duration::from_secs(5))
            .build()
            .expect("a client");
        let url = format!("http://{address}/health/ready");
        let end = Instant::now() + READY_WITHIN;
        while !client
            .get(&url)
            .send()
            .await
            .is_ok_and(|answer| answer.status().is_success())
        {
            self.process.expect_running();
            assert!(
                Instant::now() < end,
                "{} is not ready at {url}; its log:\n{}",
                self.name,
                self.log()
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.process.kill();
    }
}
