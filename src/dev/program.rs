//! The program that `usher dev` restarts.

use std::{
    future,
    path::Path,
    process::{ExitStatus, Stdio},
    time::Duration,
};

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, kill_process};
use tokio::{
    process::{Child, Command},
    time::timeout,
};
use usher_shared::foundation::config::Source;

use crate::output;

/// How long it may finish its work after SIGTERM. Jobs that are still running then run again later.
const GRACE: Duration = Duration::from_secs(10);

pub(super) struct Program {
    command: Command,
    running: Option<Child>,
}

impl Program {
    pub fn new(executable: &Path, arguments: Vec<String>, settings: &Source) -> Self {
        let mut command = Command::new(executable);
        // In a process group of its own: Ctrl-C must not reach it twice, because a second signal ends it at once.
        command
            .args(arguments)
            .envs(settings.given())
            .stdin(Stdio::null())
            .process_group(0)
            .kill_on_drop(true);
        Self { command, running: None }
    }

    pub fn start(&mut self) -> Result<()> {
        let child = self.command.spawn().context("cannot start the program")?;
        self.running = Some(child);
        Ok(())
    }

    /// How it ended by itself. Never returns while none runs.
    pub async fn ended(&mut self) -> ExitStatus {
        let status = match &mut self.running {
            Some(child) => child.wait().await.ok(),
            None => None,
        };
        match status {
            Some(status) => {
                self.running = None;
                status
            }
            None => future::pending().await,
        }
    }

    /// Asks it to end and waits. Whether it ran.
    pub async fn stop(&mut self) -> bool {
        let Some(child) = &mut self.running else {
            return false;
        };
        let id = child.id().and_then(|id| Pid::from_raw(id.try_into().ok()?));
        if let Some(id) = id {
            // It may have ended already.
            kill_process(id, Signal::TERM).ok();
        }
        if timeout(GRACE, child.wait()).await.is_err() {
            output::error(format_args!(
                "The program didn't end within {} s; killed",
                GRACE.as_secs()
            ));
            child.kill().await.ok();
        }
        self.running = None;
        true
    }
}
