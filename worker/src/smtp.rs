//! A bounded pool of SMTP connections (RFC 5321). lettre speaks the protocol; the pool is ours, because lettre's
//! own opens without bound and takes back a connection whose send was dropped half-way, so that the next mail
//! would read the answer meant for the one before it.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use anyhow::{Context, anyhow, bail};
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
use tokio::{net::TcpStream, sync::Semaphore, time::timeout};
use url::Url;
use usher_shared::foundation::trace::Span;

/// Connections to the mail server at most, for one process.
const CONNECTIONS: usize = 16;
/// For one answer of the server while connecting.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);
/// For one mail, from MAIL FROM to the server's last word. RFC 5321 §4.5.3.2 would allow 10 minutes for the last
/// word alone; no lease should wait that long.
const SEND_LIMIT: Duration = Duration::from_secs(30);
/// A connection that rested longer is asked whether it still works.
const FRESH: Duration = Duration::from_secs(5);
/// A connection that rested longer is closed.
const IDLE_LIMIT: Duration = Duration::from_secs(60);

/// How far a mail came before it failed; the same answer means something else at each step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Connecting, greeting, TLS, log-in.
    Connect,
    /// Not said to the server at all: it does not offer what an address beyond ASCII takes.
    Unsaid,
    /// MAIL FROM: the server judges us.
    Sender,
    /// RCPT TO: the server judges the address.
    Recipient,
    /// DATA was asked for; the body was not sent.
    Data,
    /// The body was sent: without an answer nobody knows whether the mail arrived.
    Body,
}

impl Step {
    const fn name(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Unsaid => "unsaid",
            Self::Sender => "mail_from",
            Self::Recipient => "rcpt_to",
            Self::Data => "data",
            Self::Body => "body",
        }
    }
}

/// A mail that was not accepted.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) step: Step,
    /// What the server said, or why there is no answer. It may hold the address.
    pub(crate) answer: String,
    /// The three digits, when the server answered.
    pub(crate) code: Option<u16>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tls {
    None,
    IfOffered,
    Required,
    Wrapped,
}

/// One mail server.
pub(crate) struct Smtp {
    host: String,
    port: u16,
    tls: Tls,
    hello: ClientId,
    credentials: Option<Credentials>,
    slots: Semaphore,
    resting: Mutex<Vec<(Instant, AsyncSmtpConnection)>>,
}

impl Smtp {
    /// Reads `smtp://` (with `?tls=required` or `?tls=opportunistic`) and `smtps://` URLs as lettre does.
    /// It does not connect.
    pub(crate) fn new(url: &str) -> anyhow::Result<Self> {
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
            resting: Mutex::default(),
        })
    }

    /// Host and port.
    pub(crate) fn place(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// Sends one mail to one recipient; answers the server's last word.
    pub(crate) async fn send(&self, from: &Address, to: &Address, message: &[u8]) -> Result<String, Failure> {
        let mut span = Span::mail(&self.host, self.port);
        let sent = self.hand_over(from, to, message).await;
        if let Err(failure) = &sent {
            span.fail(failure.step.name());
        }
        sent
    }

    async fn hand_over(&self, from: &Address, to: &Address, message: &[u8]) -> Result<String, Failure> {
        let failed = |step, error: anyhow::Error| Failure {
            step,
            answer: format!("{error:#}"),
            code: None,
        };
        let Ok(_slot) = self.slots.acquire().await else {
            return Err(failed(Step::Connect, anyhow!("the mail pool is closed")));
        };
        let mut connection = match self.take_resting().await {
            Some(connection) => connection,
            None => match timeout(CONNECT_LIMIT, self.connect()).await {
                Ok(connection) => connection?,
                Err(_) => return Err(failed(Step::Connect, anyhow!("no connection within {CONNECT_LIMIT:?}"))),
            },
        };
        if let Err(failure) = speaks(&connection, from, to) {
            self.rest(connection);
            return Err(failure);
        }
        // From here on a connection that is not given back is closed, also when this future is dropped.
        let mut step = Step::Sender;
        let sent = timeout(SEND_LIMIT, transmit(&mut connection, &mut step, from, to, message)).await;
        match sent {
            Ok(Ok(response)) => {
                self.rest(connection);
                Ok(said(&response))
            }
            Ok(Err(error)) => {
                let failure = Failure::of(step, &error);
                // The server's refusal leaves the connection usable (RFC 5321 §4.1.1.5), except when it says goodbye.
                if failure.code.is_some_and(|code| code != 421) && self.reset(&mut connection).await {
                    self.rest(connection);
                }
                Err(failure)
            }
            Err(_) => Err(failed(step, anyhow!("no answer within {SEND_LIMIT:?}"))),
        }
    }

    /// Connects, greets, encrypts and logs in as for a mail, and says goodbye. Answers what was done.
    pub(crate) async fn probe(&self) -> Result<String, Failure> {
        let mut connection = match timeout(CONNECT_LIMIT, self.connect()).await {
            Ok(connection) => connection?,
            Err(_) => {
                return Err(Failure {
                    step: Step::Connect,
                    answer: format!("no connection within {CONNECT_LIMIT:?}"),
                    code: None,
                });
            }
        };
        let encrypted = match self.tls {
            Tls::Wrapped | Tls::Required => "encrypted",
            Tls::IfOffered if connection.is_encrypted() => "encrypted",
            _ => "not encrypted",
        };
        let logged_in = match self.credentials {
            Some(_) => "logged in",
            None => "without a log-in",
        };
        // It has told all that was asked; whether it likes the farewell makes no difference.
        drop(timeout(CONNECT_LIMIT, connection.quit()).await);
        Ok(format!("{} greets, {encrypted}, {logged_in}", self.place()))
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
            let stream = undelayed(server).await.map_err(|error| Failure {
                step: Step::Connect,
                answer: error.to_string(),
                code: None,
            })?;
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

    async fn take_resting(&self) -> Option<AsyncSmtpConnection> {
        loop {
            let (since, mut connection) = self.lock_resting().pop()?;
            let rested = since.elapsed();
            if rested < FRESH {
                return Some(connection);
            }
            let works = timeout(Duration::from_secs(2), connection.command(Noop));
            if rested < IDLE_LIMIT && works.await.is_ok_and(|answer| answer.is_ok()) {
                return Some(connection);
            }
        }
    }

    async fn reset(&self, connection: &mut AsyncSmtpConnection) -> bool {
        let answer = timeout(Duration::from_secs(2), connection.command(Rset)).await;
        answer.is_ok_and(|answer| answer.is_ok())
    }

    fn rest(&self, connection: AsyncSmtpConnection) {
        let mut resting = self.lock_resting();
        resting.retain(|(since, _)| since.elapsed() < IDLE_LIMIT);
        resting.push((Instant::now(), connection));
    }

    fn lock_resting(&self) -> std::sync::MutexGuard<'_, Vec<(Instant, AsyncSmtpConnection)>> {
        self.resting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// lettre writes a mail and the dot that ends it apart. Without this the dot waits for the server to acknowledge the
/// mail, which it puts off for 40 ms because it expects more: Nagle against delayed acknowledgements (RFC 1122 §4.2.3.4).
async fn undelayed(server: (&str, u16)) -> std::io::Result<TcpStream> {
    let stream = TcpStream::connect(server).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// An address with more than ASCII in front of its @ goes only to a server that offers SMTPUTF8 (RFC 6531 §3.2): another
/// one would refuse it in words that say something else of it. Domains are ASCII by now.
fn speaks(connection: &AsyncSmtpConnection, from: &Address, to: &Address) -> Result<(), Failure> {
    if connection.server_info().supports_feature(Extension::SmtpUtfEight) {
        return Ok(());
    }
    let (step, whose) = match (is_ascii(from), is_ascii(to)) {
        (true, true) => return Ok(()),
        (false, _) => (Step::Sender, "MAIL_FROM"),
        (true, false) => (Step::Unsaid, "the address"),
    };
    Err(Failure {
        step,
        answer: format!(
            "not sent: {whose} has letters beyond ASCII before the @, which takes a mail server with SMTPUTF8 (RFC \
             6531), and ours does not offer it"
        ),
        code: None,
    })
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
    pub(crate) fn enhanced(&self) -> Option<&str> {
        let word = self.answer.split_whitespace().nth(1).filter(|_| self.code.is_some())?;
        let parts: Vec<&str> = word.split('.').collect();
        let digits = |part: &&str| (1..=3).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
        // Its class is the reply's (RFC 2034 §4); what differs is none.
        let same_class = parts[0].len() == 1 && self.answer.starts_with(parts[0]);
        (parts.len() == 3 && same_class && parts.iter().all(digits)).then_some(word)
    }
}

fn said(response: &Response) -> String {
    let lines: Vec<_> = response.message().collect();
    format!("{} {}", response.code(), lines.join(" "))
}
