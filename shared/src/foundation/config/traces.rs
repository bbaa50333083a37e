//! Where spans go and how many, by OpenTelemetry's names of settings (OTLP Exporter Configuration, SDK Environment
//! Variables).

use std::collections::HashMap;

use percent_encoding::percent_decode_str;
use url::Url;

use super::parse::{Read, web_url};

pub(super) type Headers = HashMap<String, String>;

/// A collector, and which traces it is sent.
#[derive(Clone)]
pub struct Traces {
    /// The base URL, without a trailing slash.
    pub endpoint: String,
    /// Sent with every request; they may contain a credential.
    pub headers: Headers,
    /// The process's name in traces; its program's name if none is set.
    pub service: Option<String>,
    /// The share of traces that begin here and are kept, 0 to 1. A caller's own decision is followed.
    pub ratio: f64,
}

impl Traces {
    /// Where spans are posted.
    #[must_use]
    pub fn spans_url(&self) -> String {
        format!("{}/v1/traces", self.endpoint)
    }
}

/// No TLS: the collector is a neighbor that speaks TLS to others.
pub(super) fn collector(text: &str) -> Read<String> {
    let endpoint = web_url(text)?;
    match Url::parse(&endpoint) {
        Ok(url) if url.scheme() == "https" => {
            Err("has the scheme https; use http:// to a local collector, which can speak TLS to others".to_owned())
        }
        Ok(url) if !url.username().is_empty() || url.password().is_some() => {
            Err("has a user or a password; put credentials in OTEL_EXPORTER_OTLP_HEADERS".to_owned())
        }
        _ => Ok(endpoint),
    }
}

/// `name=value` pairs, percent-encoded.
pub(super) fn headers(text: &str) -> Read<Headers> {
    let pair = |pair: &str| {
        let (name, value) = pair.split_once('=')?;
        let value = percent_decode_str(value.trim()).decode_utf8().ok()?;
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        let is_value = |byte: u8| (b' '..=b'~').contains(&byte);
        let name = name.trim();
        let usable = !name.is_empty() && name.bytes().all(is_name) && value.bytes().all(is_value);
        usable.then(|| (name.to_owned(), value.into_owned()))
    };
    let read = text.split(',').map(pair).collect::<Option<_>>();
    read.ok_or_else(|| "is not a list of name=value, separated by commas".to_owned())
}

pub(super) fn service(text: &str) -> Read<String> {
    let usable = text.len() <= 255 && !text.chars().any(char::is_control);
    usable
        .then(|| text.to_owned())
        .ok_or_else(|| "is longer than 255 bytes or has control characters".to_owned())
}

pub(super) fn ratio(text: &str) -> Read<f64> {
    let ratio = text.parse().ok().filter(|ratio| (0.0..=1.0).contains(ratio));
    ratio.ok_or_else(|| format!("is {text:?}, not a number from 0 to 1"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_collector_is_an_address_without_tls_and_without_a_password() {
        assert_eq!(collector("http://localhost:4318/").unwrap(), "http://localhost:4318");
        assert_eq!(collector("http://agent/otlp").unwrap(), "http://agent/otlp");
        for bad in [
            "https://localhost:4318",
            "http://me:secret@agent",
            "localhost:4318",
            "http://agent?x=1",
        ] {
            let error = collector(bad).unwrap_err();
            assert!(!error.contains("secret"), "{error}");
        }
    }

    #[test]
    fn headers_are_pairs() {
        let read = headers("x-tenant=a%20b, authorization=Bearer%20t%3D").unwrap();
        assert_eq!((&*read["x-tenant"], &*read["authorization"]), ("a b", "Bearer t="));
        for bad in ["x-tenant", "=a", "x tenant=a", "x=a%0Ab", "x=a,,y=b", "x=%ff"] {
            assert!(headers(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_ratio_is_a_part_of_one() {
        assert_eq!((ratio("0"), ratio("0.25"), ratio("1")), (Ok(0.0), Ok(0.25), Ok(1.0)));
        for bad in ["-0.1", "1.1", "NaN", "half", ""] {
            assert!(ratio(bad).is_err(), "{bad}");
        }
    }
}
