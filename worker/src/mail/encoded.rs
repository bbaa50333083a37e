//! A mail in the format of RFC 5322. lettre encodes every header, so no name or subject can add one.

use anyhow::Context;
use lettre::{
    Address,
    address::{AddressError, Envelope},
    message::{
        Mailbox, MultiPart,
        header::{HeaderName, HeaderValue},
    },
};
use url::Host;
use usher_shared::foundation::{
    entity::job,
    rules::{Email, EmailPolicy},
    trace::Trace,
};

use super::message::Mail;

pub(super) struct EncodedMail {
    /// The Message-ID, with its angle brackets.
    pub(super) id: String,
    pub(super) to: Address,
    pub(super) bytes: Vec<u8>,
}

impl EncodedMail {
    /// The same job gives the same Message-ID, so that a mail sent twice can be recognized (RFC 5322 §3.6.4).
    /// The error says what is wrong without the address.
    pub(super) fn new(from: &Mailbox, job: &job::Model, mail: &Mail) -> anyhow::Result<Self> {
        let to = address_of(&mail.to.address).context("the address cannot be used in mail")?;
        let name = mail.to.name.as_deref();
        let name = name.map(|name| name.split(char::is_control).collect::<Vec<_>>().join(" "));
        let id = format!("<{}@{}>", job.id, from.email.domain());
        let trace = Trace::current().unwrap_or_else(Trace::generate);
        // Given, because lettre would parse it from the header by its own rule.
        let envelope =
            Envelope::new(Some(from.email.clone()), vec![to.clone()]).context("the mail has no recipient")?;
        let message = lettre::Message::builder()
            .envelope(envelope)
            .from(from.clone())
            .to(Mailbox::new(name, to.clone()))
            .subject(&mail.subject)
            .message_id(Some(id.clone()))
            .date_now()
            // RFC 3834 §5, against out-of-office replies.
            .raw_header(header("Auto-Submitted", "auto-generated"))
            // W3C Trace Context: finds the request that caused the mail in the logs of every service.
            .raw_header(header("Traceparent", &trace.to_string()))
            .multipart(MultiPart::alternative_plain_html(mail.text.clone(), mail.html.clone()))
            .context("the mail cannot be built")?;
        Ok(Self {
            id,
            to,
            bytes: message.formatted(),
        })
    }
}

/// Parses by the rule that accepted the address. lettre's own rejects non-ASCII characters that are no letters, such as
/// the marks of Hindi words (RFC 6531 §3.3 allows them); it decides about addresses that our rule doesn't accept.
fn address_of(text: &str) -> Result<Address, AddressError> {
    let everywhere = EmailPolicy {
        allow_special_domains: true,
    };
    let known = Email::parse(text, everywhere).ok();
    match known.as_ref().and_then(|email| email.ascii().rsplit_once('@')) {
        Some((local, domain)) => Ok(Address::new_dangerous(local, domain)),
        None => Ok(with_ascii_domain(&text.parse()?)),
    }
}

pub(super) fn with_ascii_domain(address: &Address) -> Address {
    Address::new_dangerous(address.user(), ascii(address.domain()))
}

/// The domain as every mail server understands it (RFC 5891: A-labels).
fn ascii(domain: &str) -> String {
    match Host::parse(domain) {
        Ok(Host::Domain(ascii)) => ascii,
        _ => domain.to_owned(),
    }
}

fn header(name: &'static str, value: &str) -> HeaderValue {
    HeaderValue::new(HeaderName::new_from_ascii_str(name), value.to_owned())
}
