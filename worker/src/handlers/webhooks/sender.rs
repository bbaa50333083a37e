//! One request to an endpoint: signed, to an address that may be sent to, within limits.

use std::{
    error::Error,
    fmt::Write,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Context;
use reqwest::{
    Client, Response,
    dns::{Addrs, Name, Resolve, Resolving},
    header::RETRY_AFTER,
    redirect::Policy,
};
use rustls::{ClientConfig, RootCertStore, crypto::ring};
use url::{Host, Url};
use usher_shared::{
    events,
    foundation::{redact, time::now},
    webhooks::{Attempt, Keys, Networks},
};

/// For the connection, TLS included.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);
/// For the whole request.
const LIMIT: Duration = Duration::from_secs(15);
/// What is read and kept of an answer, in bytes.
const KEPT: usize = 1_024;

/// Sends to endpoints, over connections that are kept for a run.
pub(super) struct Sender {
    client: Client,
    networks: Networks,
}

impl Sender {
    /// For addresses of this scheme.
    pub(super) fn new(networks: Networks, scheme: &str) -> anyhow::Result<Self> {
        let roots = RootCertStore::from_iter(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        let tls = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .context("TLS")?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let client = Client::builder()
            .tls_backend_preconfigured(tls)
            .dns_resolver(Checked {
                networks: networks.clone(),
                scheme: scheme.to_owned(),
            })
            // Another address than the one that was checked.
            .redirect(Policy::none())
            .no_proxy()
            .connect_timeout(CONNECT_LIMIT)
            .timeout(LIMIT)
            .user_agent(concat!("Usher-Webhooks/", env!("CARGO_PKG_VERSION")))
            .build()?;
        Ok(Self { client, networks })
    }

    pub(super) async fn send(&self, url: &str, keys: &[Keys], event: &events::Recorded) -> Attempt {
        let begin = Instant::now();
        let outcome = match self.check(url) {
            Ok(url) => self.post(url, keys, event).await,
            Err(refused) => Err(refused),
        };
        let mut attempt = match outcome {
            Ok(response) => judge(response).await,
            Err(error) => Attempt {
                error: Some(error),
                ..Attempt::default()
            },
        };
        attempt.duration = begin.elapsed();
        attempt
    }

    /// Addresses that are written as such are not looked up, so they are checked here.
    fn check(&self, url: &str) -> Result<Url, String> {
        let url = Url::parse(url).map_err(|error| error.to_string())?;
        let address: Option<IpAddr> = match url.host() {
            Some(Host::Ipv4(address)) => Some(address.into()),
            Some(Host::Ipv6(address)) => Some(address.into()),
            _ => None,
        };
        match address.and_then(|address| self.networks.refuse(address, url.scheme())) {
            Some(refused) => Err(refused.to_string()),
            None => Ok(url),
        }
    }

    async fn post(&self, url: Url, keys: &[Keys], event: &events::Recorded) -> Result<Response, String> {
        let (id, timestamp) = (event.event_id.to_string(), now().timestamp());
        let signatures: Vec<String> = keys.iter().map(|keys| keys.sign(&id, timestamp, &event.json)).collect();
        let request = self
            .client
            .post(url)
            .header("content-type", "application/json")
            .header("webhook-id", id)
            .header("webhook-timestamp", timestamp)
            .header("webhook-signature", signatures.join(" "))
            .body(event.json.clone());
        request.send().await.map_err(|error| reason(&error.without_url()))
    }
}

/// The error and what caused it, in one line.
fn reason(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        write!(text, ": {error}").expect("a string takes everything");
        cause = error.source();
    }
    text
}

/// Success is any status of 200 to 299.
async fn judge(response: Response) -> Attempt {
    let status = response.status();
    let retry_after = response
        .headers()
        .get(RETRY_AFTER)
        .and_then(|value| value.to_str().ok());
    let retry_after = retry_after.and_then(pause);
    let error = if status.is_success() {
        None
    } else if status.is_redirection() {
        Some(format!("HTTP {status}: redirects are not followed; change the URL"))
    } else {
        Some(format!("HTTP {status}"))
    };
    Attempt {
        status: Some(status.as_u16()),
        retry_after: retry_after.filter(|_| error.is_some()),
        error,
        response: beginning(response).await,
        ..Attempt::default()
    }
}

/// Seconds or a time (RFC 9110 §10.2.3).
fn pause(text: &str) -> Option<Duration> {
    if let Ok(seconds) = text.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let at = chrono::DateTime::parse_from_rfc2822(text.trim()).ok()?;
    (at.to_utc() - now()).to_std().ok()
}

/// What staff see of an answer: its first kilobyte, without what looks like a token.
async fn beginning(mut response: Response) -> Option<String> {
    let mut bytes = vec![];
    while bytes.len() < KEPT {
        match response.chunk().await {
            Ok(Some(chunk)) => bytes.extend_from_slice(&chunk),
            _ => break,
        }
    }
    bytes.truncate(KEPT);
    let text: String = String::from_utf8_lossy(&bytes)
        .chars()
        .filter(|char| *char != '\0')
        .collect();
    let text = redact::tokens(text.trim()).into_owned();
    (!text.is_empty()).then_some(text)
}

/// Looks a host up once for a connection, and leaves only addresses that may be sent to: what is checked is what is
/// connected to, whatever the name leads to a moment later.
struct Checked {
    networks: Networks,
    scheme: String,
}

impl Resolve for Checked {
    fn resolve(&self, name: Name) -> Resolving {
        let (networks, scheme) = (self.networks.clone(), self.scheme.clone());
        Box::pin(async move {
            let host = name.as_str().to_owned();
            let found: Vec<SocketAddr> = tokio::net::lookup_host((host.as_str(), 0)).await?.collect();
            let refuse = |address: &SocketAddr| networks.refuse(address.ip(), &scheme);
            let good: Vec<SocketAddr> = found
                .iter()
                .copied()
                .filter(|address| refuse(address).is_none())
                .collect();
            match (good.is_empty(), found.iter().find_map(refuse)) {
                (true, Some(refused)) => Err(refused.into()),
                (true, None) => Err(format!("{host} has no address").into()),
                _ => Ok(Box::new(good.into_iter()) as Addrs),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_is_in_seconds_or_until_a_time() {
        assert_eq!(pause("120"), Some(Duration::from_secs(120)));
        assert_eq!(pause("Wed, 21 Oct 2015 07:28:00 GMT"), None, "it is over");
        let later = (now() + chrono::TimeDelta::hours(1)).to_rfc2822();
        assert!(pause(&later).is_some_and(|pause| pause > Duration::from_secs(3_500)));
        assert_eq!((pause("soon"), pause("-1")), (None, None));
    }
}
