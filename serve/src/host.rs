//! A request must name its host once and unambiguously: a proxy and a server that read it differently can be exploited
//! (RFC 9112 §3.2, §11.2).

use axum::{
    extract::Request,
    http::{HeaderValue, StatusCode, Version, header, uri::Authority},
    response::{IntoResponse, Response},
};

/// What is wrong with the host of a request.
pub(crate) fn fault(request: &Request) -> Option<&'static str> {
    let mut lines = request.headers().get_all(header::HOST).iter();
    match (lines.next(), lines.next()) {
        (Some(_), Some(_)) => Some("Send one Host header"),
        (Some(host), None) if !is_host(host) => Some("The Host header is not valid"),
        // HTTP/1.0 has none, and HTTP/2 sends it as `:authority`.
        (None, _) if request.version() == Version::HTTP_11 => Some("Send a Host header"),
        _ => None,
    }
}

/// A host with an optional port, without user information (RFC 9110 §7.2), and without a comma, which may join two
/// hosts.
fn is_host(value: &HeaderValue) -> bool {
    let authority = value.to_str().ok().and_then(|text| text.parse::<Authority>().ok());
    authority.is_some_and(|authority| {
        let text = authority.as_str();
        let port = text.strip_prefix(authority.host()).unwrap_or(text);
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~%:[]".contains(&byte);
        let is_port = |port: &str| port.is_empty() || port.parse::<u16>().is_ok();
        !authority.host().is_empty()
            && text.bytes().all(is_plain)
            && (port.is_empty() || port.strip_prefix(':').is_some_and(is_port))
    })
}

/// Closes the connection: what follows on it may belong to another client's request.
pub(crate) fn refuse(words: &'static str) -> Response {
    let headers = [
        (header::CONNECTION, "close"),
        (header::CONTENT_TYPE, "text/plain; charset=utf-8"),
    ];
    (StatusCode::BAD_REQUEST, headers, words).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(version: Version, hosts: &[&str]) -> Option<&'static str> {
        let request = Request::builder().version(version).uri("/");
        let request = hosts
            .iter()
            .fold(request, |request, host| request.header(header::HOST, *host));
        fault(&request.body(axum::body::Body::empty()).unwrap())
    }

    #[test]
    fn one_clear_host_is_asked_of_http_1_1() {
        for good in [
            "example.org",
            "example.org:8000",
            "127.0.0.1:8000",
            "[::1]:8000",
            "[::1]",
            "localhost:",
        ] {
            assert_eq!(of(Version::HTTP_11, &[good]), None, "{good}");
        }
        for bad in [
            "",
            " ",
            "a b",
            "a,b",
            "user@example.org",
            "example.org:99999",
            "example.org:x",
            "a/b",
            "http://a",
            "a?b",
        ] {
            assert!(of(Version::HTTP_11, &[bad]).is_some(), "{bad:?}");
        }
        for version in [Version::HTTP_10, Version::HTTP_11, Version::HTTP_2] {
            assert!(of(version, &["a", "b"]).is_some() && of(version, &["a", "a"]).is_some());
        }
        assert!(of(Version::HTTP_11, &[]).is_some());
        assert_eq!((of(Version::HTTP_10, &[]), of(Version::HTTP_2, &[])), (None, None));
    }
}
