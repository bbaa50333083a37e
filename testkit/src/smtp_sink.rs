//! A fast SMTP server (RFC 5321) in this process that keeps the Message-ID of every mail it accepts, and that can be
//! told to misbehave at any step. [`crate::Smtp`] is the one that reads whole mails.

use std::{
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufStream},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

use crate::run::{eventually, free_port};

/// Where in a mail's way something happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The first line, before any command.
    Greeting,
    /// The answer to `STARTTLS`; only a sink that says something here offers it.
    StartTls,
    /// The answer to `AUTH`; only a sink that says something here offers it.
    LogIn,
    Sender,
    Recipient,
    /// The answer to the command `DATA`.
    Data,
    /// After the first line of the body.
    MidBody,
    /// After the whole body, before the mail is accepted.
    Body,
    /// The mail is accepted; the answer that says so is still to come.
    Accepted,
}

/// What happens there instead of what should.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deed {
    /// It answers this line.
    Says(&'static str),
    /// It answers nothing any more and keeps the connection.
    Hangs,
    /// It resets the connection.
    Drops,
    /// At [`Step::StartTls`]: it agrees, and then speaks no TLS.
    SpeaksNoTls,
}

/// A mail that was accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// The header `Message-ID`, with its angle brackets.
    pub message_id: String,
    pub to: String,
}

/// A server on a free port of 127.0.0.1; ends when dropped.
pub struct SmtpSink {
    port: u16,
    shared: Arc<Shared>,
    listening: JoinHandle<()>,
}

#[derive(Default)]
struct Shared {
    trouble: Mutex<Option<(Step, Deed)>>,
    accepted: Mutex<Vec<Accepted>>,
    connections: Mutex<usize>,
    /// Whether it knows ASCII alone: no SMTPUTF8, and 500 to whatever else it is told.
    is_old: Mutex<bool>,
}

impl SmtpSink {
    /// Starts a server that behaves.
    pub async fn start() -> Self {
        let (port, shared) = (free_port(), Arc::<Shared>::default());
        let listener = TcpListener::bind(("127.0.0.1", port)).await.expect("a free port");
        let serving = Arc::clone(&shared);
        let listening = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                *lock(&serving.connections) += 1;
                let shared = Arc::clone(&serving);
                tokio::spawn(async move { Session::new(stream, shared).serve().await });
            }
        });
        Self {
            port,
            shared,
            listening,
        }
    }

    /// For `SMTP_URL`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("smtp://127.0.0.1:{}", self.port)
    }

    /// From now on it does this at that step, for every mail.
    pub fn misbehave(&self, step: Step, deed: Deed) {
        *lock(&self.shared.trouble) = Some((step, deed));
    }

    /// From now on it does not offer SMTPUTF8, and answers 500 to any line that holds more than ASCII.
    pub fn know_ascii_alone(&self) {
        *lock(&self.shared.is_old) = true;
    }

    /// From now on it behaves.
    pub fn behave(&self) {
        *lock(&self.shared.trouble) = None;
    }

    /// Every mail that was accepted, in order.
    #[must_use]
    pub fn accepted(&self) -> Vec<Accepted> {
        lock(&self.shared.accepted).clone()
    }

    /// Connections that were opened until now.
    #[must_use]
    pub fn connections(&self) -> usize {
        *lock(&self.shared.connections)
    }

    /// The mails once there are `count` of them; panics after `limit`.
    pub async fn wait_for(&self, count: usize, limit: Duration) -> Vec<Accepted> {
        eventually(limit, &format!("{count} mails are accepted"), async || {
            let accepted = self.accepted();
            (accepted.len() >= count).then_some(accepted)
        })
        .await
    }
}

impl Drop for SmtpSink {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

/// One client's connection.
struct Session {
    stream: BufStream<TcpStream>,
    shared: Arc<Shared>,
    to: String,
}

/// The connection is over.
struct Over;

impl From<io::Error> for Over {
    fn from(_: io::Error) -> Self {
        Self
    }
}

impl Session {
    fn new(stream: TcpStream, shared: Arc<Shared>) -> Self {
        let _ = stream.set_nodelay(true);
        Self {
            stream: BufStream::new(stream),
            shared,
            to: String::new(),
        }
    }

    async fn serve(mut self) {
        if self.answer(Step::Greeting, "220 localhost ESMTP").await.is_err() {
            return;
        }
        while let Ok(line) = self.line().await {
            if self.command(line.trim()).await.is_err() {
                return;
            }
        }
    }

    async fn command(&mut self, line: &str) -> Result<(), Over> {
        if self.is_old() && !line.is_ascii() {
            return self.say("500 Syntax error").await;
        }
        let verb = line.split([' ', ':']).next().unwrap_or_default().to_ascii_uppercase();
        match verb.as_str() {
            "EHLO" => self.say(&self.extensions()).await,
            "HELO" => self.say("250 localhost").await,
            "STARTTLS" => self.answer(Step::StartTls, "502 5.5.1 Not offered").await,
            "AUTH" => self.answer(Step::LogIn, "235 2.7.0 Welcome").await,
            "MAIL" => self.answer(Step::Sender, "250 2.1.0 OK").await,
            "RCPT" => {
                let address = line.split(['<', '>']).nth(1).unwrap_or_default();
                address.clone_into(&mut self.to);
                self.answer(Step::Recipient, "250 2.1.5 OK").await
            }
            "DATA" if self.trouble(Step::Data).is_some() => self.answer(Step::Data, "").await,
            "DATA" => {
                self.say("354 Go ahead").await?;
                self.body().await
            }
            "RSET" | "NOOP" => self.say("250 2.0.0 OK").await,
            "QUIT" => {
                self.say("221 2.0.0 Bye").await?;
                Err(Over)
            }
            _ => self.say("502 5.5.1 No such command").await,
        }
    }

    async fn body(&mut self) -> Result<(), Over> {
        let mut message_id = String::new();
        let mut lines = 0;
        loop {
            let line = self.line().await?;
            lines += 1;
            if lines == 1 && self.trouble(Step::MidBody).is_some() {
                self.answer(Step::MidBody, "").await?;
            }
            if line == ".\r\n" {
                break;
            }
            let (name, value) = line.split_once(':').unwrap_or_default();
            if message_id.is_empty() && name.eq_ignore_ascii_case("message-id") {
                value.trim().clone_into(&mut message_id);
            }
        }
        if self.trouble(Step::Body).is_some() {
            return self.answer(Step::Body, "").await;
        }
        let to = self.to.clone();
        lock(&self.shared.accepted).push(Accepted { message_id, to });
        self.answer(Step::Accepted, "250 2.0.0 Accepted").await
    }

    /// What `EHLO` answers: log-in and TLS are offered where something is to happen at them.
    fn extensions(&self) -> String {
        let mut lines = vec!["localhost", "8BITMIME"];
        if !self.is_old() {
            lines.push("SMTPUTF8");
        }
        if self.trouble(Step::StartTls).is_some() {
            lines.push("STARTTLS");
        }
        if self.trouble(Step::LogIn).is_some() {
            lines.push("AUTH PLAIN LOGIN");
        }
        let last = lines.pop().unwrap_or_default();
        let mut text: String = lines.iter().map(|line| format!("250-{line}\r\n")).collect();
        text.push_str("250 ");
        text.push_str(last);
        text
    }

    /// Answers `well`, or does what it was told to do at this step.
    async fn answer(&mut self, step: Step, well: &str) -> Result<(), Over> {
        match self.trouble(step) {
            None => self.say(well).await,
            Some(Deed::Says(line)) => self.say(line).await,
            Some(Deed::SpeaksNoTls) => {
                self.say("220 2.0.0 Ready to start TLS").await?;
                self.say("this is no handshake").await?;
                Err(Over)
            }
            Some(Deed::Hangs) => {
                // Until the client has had enough.
                while self.line().await.is_ok() {}
                Err(Over)
            }
            Some(Deed::Drops) => {
                self.stream.get_ref().set_zero_linger()?;
                Err(Over)
            }
        }
    }

    fn is_old(&self) -> bool {
        *lock(&self.shared.is_old)
    }

    fn trouble(&self, step: Step) -> Option<Deed> {
        let trouble = lock(&self.shared.trouble);
        trouble
            .as_ref()
            .filter(|(at, _)| *at == step)
            .map(|(_, deed)| deed.clone())
    }

    async fn say(&mut self, line: &str) -> Result<(), Over> {
        self.stream.write_all(line.as_bytes()).await?;
        self.stream.write_all(b"\r\n").await?;
        Ok(self.stream.flush().await?)
    }

    async fn line(&mut self) -> Result<String, Over> {
        let mut line = Vec::new();
        match self.stream.read_until(b'\n', &mut line).await? {
            0 => Err(Over),
            _ => Ok(String::from_utf8_lossy(&line).into_owned()),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
