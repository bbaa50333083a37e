//! Where events may be sent.

use url::{Host, Url};

use super::networks::Networks;
use crate::foundation::rules::Violation;

/// The longest address, in characters.
const MAX: usize = 2_048;

/// The address of an endpoint: HTTPS, or HTTP to a host within `WEBHOOK_NETWORKS`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhookUrl(Url);

impl WebhookUrl {
    /// What can be said of an address without looking its host up. That is done for each sending.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub fn parse(text: &str, networks: &Networks) -> Result<Self, Violation> {
        if text.len() > MAX {
            return Err(Violation::value(format!("The URL can have {MAX} characters")));
        }
        let url = Url::parse(text.trim()).ok().filter(|url| url.has_host());
        let url = url.ok_or_else(|| Violation::value("Write a URL, such as https://example.org/webhooks"))?;
        match url.scheme() {
            "https" => {}
            "http" if networks.has_some() => {}
            "http" => return Err(Violation::value("Use https: events hold personal data")),
            _ => return Err(Violation::value("The URL must begin with https://")),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Violation::value(
                "Leave out user and password: signatures show who sends",
            ));
        }
        if url.fragment().is_some() {
            return Err(Violation::value("Leave out the part after #: it is not sent"));
        }
        let address = match url.host() {
            Some(Host::Ipv4(address)) => Some(address.into()),
            Some(Host::Ipv6(address)) => Some(address.into()),
            _ => None,
        };
        if let Some(refused) = address.and_then(|address| networks.refuse(address, url.scheme())) {
            return Err(Violation::value(refused.to_string()));
        }
        Ok(Self(url))
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}
