//! A real SMTP server and the mailbox behind it. It can be told to misbehave by the local part of a
//! recipient: `smtp_server.py` lists the words.

use std::{fs, process::Command, time::Duration};

use serde::Deserialize;
use tokio::net::TcpStream;

use crate::{
    process::{Folder, Process, Signal},
    run::{eventually, free_port},
};

/// One mail as it arrived, for one recipient.
#[derive(Clone, Debug, Deserialize)]
pub struct Mail {
    /// The envelope's recipient.
    pub to: String,
    /// The envelope's sender.
    pub from: String,
    /// The header `Message-ID`, with its angle brackets.
    pub message_id: String,
    /// The subject, decoded.
    pub subject: String,
    /// The text part, decoded; empty when there is none.
    pub text: String,
    /// The HTML part, decoded; empty when there is none.
    pub html: String,
    /// Every header in its order, decoded.
    pub headers: Vec<(String, String)>,
    /// When it was accepted, in Unix seconds.
    pub at: f64,
}

impl Mail {
    /// The first header of this name, in any case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(each, _)| each.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }
}

/// A server on a free port of 127.0.0.1, without TLS and log-in.
pub struct Smtp {
    process: Process,
    port: u16,
    folder: Folder,
}

impl Smtp {
    /// Starts a server with an empty mailbox.
    pub async fn start() -> Self {
        let (folder, port) = (Folder::new(), free_port());
        let mut smtp = Self {
            process: serve(&folder, port),
            port,
            folder,
        };
        smtp.answers().await;
        smtp
    }

    /// For `SMTP_URL`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("smtp://127.0.0.1:{}", self.port)
    }

    /// Stops it; what arrived is kept.
    pub fn stop(&mut self) {
        self.process.stop();
    }

    /// Starts it again on the same port.
    pub async fn start_again(&mut self) {
        self.process = serve(&self.folder, self.port);
        self.answers().await;
    }

    /// Whether it refuses every sender from now on, as a server does that no longer knows the application.
    pub fn refuse_senders(&self, refuse: bool) {
        let sign = self.folder.join("mails.jsonl.refuse");
        if refuse {
            fs::write(sign, "").expect("a file is written");
        } else {
            fs::remove_file(sign).expect("senders were refused before");
        }
    }

    /// Every mail that was accepted, in order of arrival.
    #[must_use]
    pub fn mails(&self) -> Vec<Mail> {
        let file = fs::read_to_string(self.folder.join("mails.jsonl")).unwrap_or_default();
        let whole = file.rfind('\n').map_or("", |end| &file[..end]);
        whole
            .lines()
            .map(|line| serde_json::from_str(line).expect("a mail is a JSON line"))
            .collect()
    }

    /// The mails once there are `count` of them; panics after `limit`.
    pub async fn wait_for(&self, count: usize, limit: Duration) -> Vec<Mail> {
        eventually(limit, &format!("{count} mails arrive"), async || {
            let mails = self.mails();
            (mails.len() >= count).then_some(mails)
        })
        .await
    }

    async fn answers(&mut self) {
        eventually(Duration::from_secs(20), "the SMTP server answers", async || {
            self.process.expect_running();
            TcpStream::connect(("127.0.0.1", self.port)).await.ok()
        })
        .await;
    }
}

fn serve(folder: &Folder, port: u16) -> Process {
    // Debian's own Python, for which python3-aiosmtpd is installed; another may come first in PATH.
    let mut python = Command::new("/usr/bin/python3");
    python.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/smtp_server.py"));
    python
        .arg(port.to_string())
        .arg(folder.join("mails.jsonl"))
        .current_dir(folder.path());
    python.env("PYTHONDONTWRITEBYTECODE", "1");
    Process::start("smtp_server.py", python, folder.path().join("smtp.log"), Signal::TERM)
}
