//! A bounded pool of SMTP connections (RFC 5321). lettre speaks the protocol; the pool is ours, because lettre's own is
//! unbounded and takes back connections whose send was dropped half-way, so that the next mail would read the answer to
//! the one before it.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use lettre::{
    Address,
    transport::smtp::{
        Error,
        authentication::{Credentials, DEFAULT_MECHANISMS},
        client::{AsyncSmtpConnection, TlsParameters},
        commands::{Data, Mail, Noop, Rcpt, Rset},
        extension::{ClientId, Extension, MailBodyParameter, MailParameter},
        response::Response,
    },
};
use percent_encoding::percent_decode_str;
use strum::IntoStaticStr;
use tokio::{net::TcpStream, sync::Semaphore, time::timeout};
use url::Url;
use usher_shared::foundation::trace::Span;

/// Max connections to the mail server per process.
const CONNECTIONS: usize = 16;
/// For one answer of the server while connecting.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);
/// For one mail, from MAIL FROM to the server's last answer. RFC 5321 §4.5.3.2 allows 10 minutes for that answer alone;
/// no lease should wait that long.
const SEND_LIMIT: Duration = Duration::from_secs(30);
/// A connection that was idle for longer is checked before it is used.
const FRESH: Duration = Duration::from_secs(5);
/// A connection that was idle for longer is closed.
const IDLE_LIMIT: Duration = Duration::from_secs(60);

/// How far a mail came before it failed; the same answer means something else at each step.
///
/// As a string it is the error type of traces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub(super) enum Step {
    /// Connecting, greeting, TLS, log-in.
    Connect,
    /// Not sent at all: the server does not support non-ASCII addresses.
    Unsaid,
    /// MAIL FROM: the server judges us.
    #[strum(serialize = "mail_from")]
    Sender,
    /// RCPT TO: the server judges the address.
    #[strum(serialize = "rcpt_to")]
    Recipient,
    /// DATA was requested; the body was not sent.
    Data,
    /// The body was sent: without an answer it is unknown whether the mail arrived.
    Body,
}

/// A mail that was not accepted.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) step: Step,
    /// What the server said, or why there is no answer. May contain the address.
    pub(super) answer: String,
    /// The reply code, if the server answered.
    pub(super) code: Option<u16>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tls {
    None,
    IfOffered,
    Required,
    Wrapped,
}

/// One mail server.
pub(super) struct Smtp {
    host: String,
    port: u16,
    tls: Tls,
    hello: ClientId,
    credentials: Option<Credentials>,
    slots: Semaphore,
    idle: Mutex<Vec<(Instant, AsyncSmtpConnection)>>,
}

impl Smtp {
    /// Parses `smtp://` (with `?tls=required` or `?tls=opportunistic`) and `smtps://` URLs as lettre does. Does not
    /// connect.
    pub(super) fn new(url: &str) -> anyhow::Result<Self> {
        let url = Url::parse(url)?;
        let tls = url.query_pairs().find(|(key, _)| key == "tls").map(|(_, value)| value);
        let (tls, default_port) = match (url.scheme(), tls.as_deref()) {
            ("smtps", _) => (Tls::Wrapped, 465),
            ("smtp", None) => (Tls::None, 25),
            ("smtp", Some("required")) => (Tls::Required, 587),
            ("smtp", Some("opportunistic")) => (Tls::IfOffered, 587),
            ("smtp", Some(other)) => bail!("has tls={other}, neither required nor opportunistic"),
            (scheme, _) => bail!("has the scheme {scheme}, neither smtp nor smtps"),
        };
        let decoded = |text: &str| Ok::<_, anyhow::Error>(percent_decode_str(text).decode_utf8()?.into_owned());
        Ok(Self {
            host: url.host_str().context("names no host")?.to_owned(),
            port: url.port().unwrap_or(default_port),
            tls,
            hello: match url.path().trim_matches('/') {
                "" => ClientId::default(),
                name => ClientId::Domain(name.to_owned()),
            },
            credentials: match url.password() {
                Some(password) => Some(Credentials::new(decoded(url.username())?, decoded(password)?)),
                None => None,
            },
            slots: Semaphore::new(CONNECTIONS),
            idle: Mutex::default(),
        })
    }

    /// Host and port.
    pub(super) fn place(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// Sends one mail to one recipient. Returns the server's last answer.
    pub(super) async fn send(&self, from: &Address, to: &Address, message: &[u8]) -> Result<String, Failure> {
        let mut span = Span::mail(&self.host, self.port);
        let sent = self.transmit_pooled(from, to, message).await;
        if let Err(failure) = &sent {
            span.fail(<&str>::from(failure.step));
        }
        sent
    }

    async fn transmit_pooled(&self, from: &Address, to: &Address, message: &[u8]) -> Result<String, Failure> {
        let Ok(_slot) = self.slots.acquire().await else {
            return Err(Failure::unanswered(Step::Connect, "the mail pool is closed"));
        };
        let mut connection = match self.take_idle().await {
            Some(connection) => connection,
            None => self.connect_in_time().await?,
        };
        if let Err(failure) = supports(&connection, from, to) {
            self.give_back(connection);
            return Err(failure);
        }
        // From here on, a connection that is not returned to the pool is closed, also when this future is dropped.
        let mut step = Step::Sender;
        let sent = timeout(SEND_LIMIT, transmit(&mut connection, &mut step, from, to, message)).await;
        match sent {
            Ok(Ok(response)) => {
                self.give_back(connection);
                Ok(said(&response))
            }
            Ok(Err(error)) => {
                let failure = Failure::of(step, &error);
                // The server's refusal leaves the connection usable (RFC 5321 §4.1.1.5), except for 421.
                if failure.code.is_some_and(|code| code != 421) && self.reset(&mut connection).await {
                    self.give_back(connection);
                }
                Err(failure)
            }
            Err(_) => Err(Failure::unanswered(step, format!("no answer within {SEND_LIMIT:?}"))),
        }
    }

    /// Connects, encrypts and logs in as for a mail, and quits. Returns what was done.
    pub(super) async fn probe(&self) -> Result<String, Failure> {
        let mut connection = self.connect_in_time().await?;
        let encrypted = match self.tls {
            Tls::Wrapped | Tls::Required => "encrypted",
            Tls::IfOffered if connection.is_encrypted() => "encrypted",
            _ => "not encrypted",
        };
        let logged_in = match self.credentials {
            Some(_) => "logged in",
            None => "without a log-in",
        };
        // Everything asked for is known by now, whatever the answer.
        drop(timeout(CONNECT_LIMIT, connection.quit()).await);
        Ok(format!("{} greets, {encrypted}, {logged_in}", self.place()))
    }

    async fn connect_in_time(&self) -> Result<AsyncSmtpConnection, Failure> {
        let late = |_| Failure::unanswered(Step::Connect, format!("no connection within {CONNECT_LIMIT:?}"));
        timeout(CONNECT_LIMIT, self.connect()).await.map_err(late)?
    }

    async fn connect(&self) -> Result<AsyncSmtpConnection, Failure> {
        let failed = |error| Failure::of(Step::Connect, &error);
        let parameters = || TlsParameters::new(self.host.clone()).map_err(failed);
        let server = (self.host.as_str(), self.port);
        let mut connection = if self.tls == Tls::Wrapped {
            let (hello, tls) = (&self.hello, Some(parameters()?));
            let wrapped = AsyncSmtpConnection::connect_tokio1(server, Some(CONNECT_LIMIT), hello, tls, None);
            wrapped.await.map_err(failed)?
        } else {
            let refused = |error: std::io::Error| Failure::unanswered(Step::Connect, error.to_string());
            let stream = connect_without_delay(server).await.map_err(refused)?;
            let plain = AsyncSmtpConnection::connect_with_transport(Box::new(stream), &self.hello);
            plain.await.map_err(failed)?
        };
        if self.tls == Tls::Required || (self.tls == Tls::IfOffered && connection.can_starttls()) {
            connection.starttls(parameters()?, &self.hello).await.map_err(failed)?;
        }
        if let Some(credentials) = &self.credentials {
            connection.auth(DEFAULT_MECHANISMS, credentials).await.map_err(failed)?;
        }
        Ok(connection)
    }

    async fn take_idle(&self) -> Option<AsyncSmtpConnection> {
        loop {
            let (since, mut connection) = self.lock_idle().pop()?;
            let idle_for = since.elapsed();
            if idle_for < FRESH {
                return Some(connection);
            }
            let works = timeout(Duration::from_secs(2), connection.command(Noop));
            if idle_for < IDLE_LIMIT && works.await.is_ok_and(|answer| answer.is_ok()) {
                return Some(connection);
            }
        }
    }

    async fn reset(&self, connection: &mut AsyncSmtpConnection) -> bool {
        let answer = timeout(Duration::from_secs(2), connection.command(Rset)).await;
        answer.is_ok_and(|answer| answer.is_ok())
    }

    fn give_back(&self, connection: AsyncSmtpConnection) {
        let mut idle = self.lock_idle();
        idle.retain(|(since, _)| since.elapsed() < IDLE_LIMIT);
        idle.push((Instant::now(), connection));
    }

    fn lock_idle(&self) -> std::sync::MutexGuard<'_, Vec<(Instant, AsyncSmtpConnection)>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// lettre writes a mail and the dot that ends it separately. With Nagle's algorithm the dot would wait for the server
/// to acknowledge the mail, which it delays by 40 ms because it expects more (RFC 1122 §4.2.3.4).
async fn connect_without_delay(server: (&str, u16)) -> std::io::Result<TcpStream> {
    let stream = TcpStream::connect(server).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// An address with non-ASCII characters before the @ needs a server with SMTPUTF8 (RFC 6531 §3.2): another one would
/// refuse it with a misleading answer. Domains are ASCII by now.
fn supports(connection: &AsyncSmtpConnection, from: &Address, to: &Address) -> Result<(), Failure> {
    if connection.server_info().supports_feature(Extension::SmtpUtfEight) {
        return Ok(());
    }
    let (step, whose) = match (is_ascii(from), is_ascii(to)) {
        (true, true) => return Ok(()),
        (false, _) => (Step::Sender, "MAIL_FROM"),
        (true, false) => (Step::Unsaid, "the address"),
    };
    let answer = format!(
        "not sent: {whose} has non-ASCII characters before the @, which needs a mail server with SMTPUTF8 (RFC 6531), \
         and ours does not support it"
    );
    Err(Failure::unanswered(step, answer))
}

fn is_ascii(address: &Address) -> bool {
    AsRef::<str>::as_ref(address).is_ascii()
}

async fn transmit(
    connection: &mut AsyncSmtpConnection,
    step: &mut Step,
    from: &Address,
    to: &Address,
    message: &[u8],
) -> Result<Response, Error> {
    let mut parameters = Vec::new();
    let offers = |extension| connection.server_info().supports_feature(extension);
    if !(is_ascii(from) && is_ascii(to)) {
        parameters.push(MailParameter::SmtpUtfEight);
    }
    if !message.is_ascii() && offers(Extension::EightBitMime) {
        parameters.push(MailParameter::Body(MailBodyParameter::EightBitMime));
    }
    connection.command(Mail::new(Some(from.clone()), parameters)).await?;
    *step = Step::Recipient;
    connection.command(Rcpt::new(to.clone(), Vec::new())).await?;
    *step = Step::Data;
    connection.command(Data).await?;
    *step = Step::Body;
    connection.message(message).await
}

impl Failure {
    fn unanswered(step: Step, answer: impl Into<String>) -> Self {
        Self {
            step,
            answer: answer.into(),
            code: None,
        }
    }

    fn of(step: Step, error: &Error) -> Self {
        let code = error.status().and_then(|code| code.to_string().parse().ok());
        let text = std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string);
        Self {
            step,
            answer: match code {
                Some(code) => format!("{code} {text}"),
                None => text,
            },
            code,
        }
    }

    /// The enhanced status code (RFC 3463) that the answer starts with, such as `5.1.1`.
    pub(super) fn enhanced(&self) -> Option<&str> {
        let word = self.answer.split_whitespace().nth(1).filter(|_| self.code.is_some())?;
        let parts: Vec<&str> = word.split('.').collect();
        let digits = |part: &&str| (1..=3).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
        // Its class must match the reply's (RFC 2034 §4).
        let same_class = parts[0].len() == 1 && self.answer.starts_with(parts[0]);
        (parts.len() == 3 && same_class && parts.iter().all(digits)).then_some(word)
    }
}

fn said(response: &Response) -> String {
    let lines: Vec<_> = response.message().collect();
    format!("{} {}", response.code(), lines.join(" "))
}
