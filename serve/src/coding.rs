//! The content coding of responses. No response is refused for its coding, because the operation has already taken
//! effect: a client that accepts none of ours gets it uncompressed, as RFC 9110 §12.5.3 allows.

use axum::{
    extract::Request,
    http::{
        HeaderMap, HeaderValue,
        header::{ACCEPT_ENCODING, CONTENT_ENCODING},
    },
    middleware::Next,
    response::Response,
};

use crate::lists::{elements, quality};

/// The codings of compressed responses.
const CODINGS: [&str; 2] = ["br", "gzip"];

/// Middleware around compression: reduces `Accept-Encoding` to those of our codings that the client wants.
pub async fn settle_coding(mut request: Request, next: Next) -> Response {
    let headers = request.headers_mut();
    // Without a quality or a wildcard, nothing is excluded.
    let is_plain = headers
        .get_all(ACCEPT_ENCODING)
        .iter()
        .all(|line| !line.as_bytes().iter().any(|byte| b";*".contains(byte)));
    if !is_plain {
        let plain = wanted(headers, "identity");
        let ours = CODINGS
            .iter()
            .filter_map(|coding| Some((coding, wanted(headers, coding)?)));
        let ours = ours.filter(|(_, quality)| *quality > 0.0 && *quality >= plain.unwrap_or_default());
        let ours: Vec<_> = ours
            .map(|(coding, quality)| format!("{coding};q={quality:.3}"))
            .collect();
        headers.remove(ACCEPT_ENCODING);
        if let (false, Ok(line)) = (ours.is_empty(), HeaderValue::from_str(&ours.join(", "))) {
            headers.insert(ACCEPT_ENCODING, line);
        }
    }
    next.run(request).await
}

/// The client's quality for a coding; `*` covers those that are not named.
fn wanted(headers: &HeaderMap, coding: &str) -> Option<f32> {
    quality(headers, ACCEPT_ENCODING, coding).or_else(|| quality(headers, ACCEPT_ENCODING, "*"))
}

/// Whether the client accepts responses in this coding.
#[must_use]
pub fn accepts(headers: &HeaderMap, coding: &str) -> bool {
    wanted(headers, coding).is_some_and(|quality| quality > 0.0)
}

/// Whether a request's body has no content coding (RFC 9110 §8.4).
#[must_use]
pub fn is_plain(headers: &HeaderMap) -> bool {
    let legible = headers
        .get_all(CONTENT_ENCODING)
        .iter()
        .all(|line| line.to_str().is_ok());
    legible && elements(headers, CONTENT_ENCODING).all(|coding| coding.eq_ignore_ascii_case("identity"))
}
