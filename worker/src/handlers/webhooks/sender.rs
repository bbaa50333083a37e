//! One request to an endpoint: signed, to an address that may be sent to, within limits.

use std::{
    error::Error,
    fmt::Write,
    net::{IpAddr, SocketAddr},
    pin::Pin,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Context;
use axum::{
    body::Bytes,
    http::{
        HeaderName, Request, Response,
        header::{CONTENT_TYPE, RETRY_AFTER, USER_AGENT},
    },
};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{
        Client,
        connect::{HttpConnector, dns::Name},
    },
    rt::TokioExecutor,
};
use rustls::{ClientConfig, RootCertStore, crypto::ring};
use tokio::time::{timeout, timeout_at};
use tower::util::BoxCloneSyncService;
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
/// For the beginning of the answer's body: once the status is known, the rest decides nothing.
const BODY_LIMIT: Duration = Duration::from_secs(2);
/// What is read and kept of an answer, in bytes.
const KEPT: usize = 1_024;

const AGENT: &str = concat!("Usher-Webhooks/", env!("CARGO_PKG_VERSION"));
const ID: HeaderName = HeaderName::from_static("webhook-id");
const TIMESTAMP: HeaderName = HeaderName::from_static("webhook-timestamp");
const SIGNATURE: HeaderName = HeaderName::from_static("webhook-signature");

/// The addresses of a host.
type Addresses = std::vec::IntoIter<SocketAddr>;
type Problem = Box<dyn Error + Send + Sync>;
type Resolver = BoxCloneSyncService<Name, Addresses, Problem>;
type Found = Pin<Box<dyn Future<Output = Result<Addresses, Problem>> + Send>>;

/// Sends to endpoints, over connections that are kept for a run. It follows no redirect and uses no proxy.
pub(super) struct Sender {
    client: Client<HttpsConnector<HttpConnector<Resolver>>, Full<Bytes>>,
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
        let mut connector = HttpConnector::new_with_resolver(checked(networks.clone(), scheme));
        connector.enforce_http(false);
        connector.set_connect_timeout(Some(CONNECT_LIMIT));
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http()
            .enable_http1()
            .wrap_connector(connector);
        Ok(Self {
            client: Client::builder(TokioExecutor::new()).build(connector),
            networks,
        })
    }

    pub(super) async fn send(&self, url: &str, keys: &[Keys], event: &events::Recorded) -> Attempt {
        let begin = Instant::now();
        let attempt = async {
            self.check(url)?;
            judge(self.post(url, keys, event).await?).await
        };
        let outcome = timeout(LIMIT, attempt).await;
        let outcome = outcome.unwrap_or_else(|_| Err(format!("no answer within {} s", LIMIT.as_secs())));
        Attempt {
            duration: begin.elapsed(),
            ..outcome.unwrap_or_else(|error| Attempt {
                error: Some(error),
                ..Attempt::default()
            })
        }
    }

    /// Addresses that are written as such are not looked up, so they are checked here.
    fn check(&self, url: &str) -> Result<(), String> {
        let url = Url::parse(url).map_err(|error| error.to_string())?;
        let address: Option<IpAddr> = match url.host() {
            Some(Host::Ipv4(address)) => Some(address.into()),
            Some(Host::Ipv6(address)) => Some(address.into()),
            _ => None,
        };
        let refused = address.and_then(|address| self.networks.refuse(address, url.scheme()));
        refused.map_or(Ok(()), |refused| Err(refused.to_string()))
    }

    async fn post(&self, url: &str, keys: &[Keys], event: &events::Recorded) -> Result<Response<Incoming>, String> {
        let (id, timestamp) = (event.event_id.to_string(), now().timestamp());
        let signatures: Vec<String> = keys.iter().map(|keys| keys.sign(&id, timestamp, &event.json)).collect();
        let request = Request::post(url)
            .header(CONTENT_TYPE, "application/json")
            .header(USER_AGENT, AGENT)
            .header(ID, id)
            .header(TIMESTAMP, timestamp)
            .header(SIGNATURE, signatures.join(" "))
            .body(Full::from(event.json.to_string()))
            .map_err(|error| error.to_string())?;
        self.client.request(request).await.map_err(|error| reason(&error))
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
async fn judge(response: Response<Incoming>) -> Result<Attempt, String> {
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
    Ok(Attempt {
        status: Some(status.as_u16()),
        retry_after: retry_after.filter(|_| error.is_some()),
        error,
        response: beginning(response.into_body()).await,
        ..Attempt::default()
    })
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
async fn beginning(mut body: Incoming) -> Option<String> {
    let (mut bytes, end) = (vec![], tokio::time::Instant::now() + BODY_LIMIT);
    while bytes.len() < KEPT {
        match timeout_at(end, body.frame()).await.unwrap_or_default() {
            Some(Ok(frame)) => bytes.extend_from_slice(frame.data_ref().map_or(&[], |data| data)),
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
fn checked(networks: Networks, scheme: &str) -> Resolver {
    let scheme = scheme.to_owned();
    let resolve = move |name: Name| -> Found {
        let (networks, scheme) = (networks.clone(), scheme.clone());
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            let refuse = |address: &SocketAddr| networks.refuse(address.ip(), &scheme);
            let good: Vec<SocketAddr> = found
                .iter()
                .copied()
                .filter(|address| refuse(address).is_none())
                .collect();
            match (good.is_empty(), found.iter().find_map(refuse)) {
                (true, Some(refused)) => Err(refused.into()),
                (true, None) => Err(format!("{} has no address", name.as_str()).into()),
                _ => Ok(good.into_iter()),
            }
        })
    };
    BoxCloneSyncService::new(tower::service_fn(resolve))
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
