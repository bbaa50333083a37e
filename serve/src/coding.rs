//! Which coding an answer is sent in. An answer is never refused for its coding: the operation has had its effect by then,
//! so who accepts none of ours gets the answer as it is, as RFC 9110 §12.5.3 lets a server do.

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

/// The codings that answers are compressed with.
const CODINGS: [&str; 2] = ["br", "gzip"];

/// The layer around compression: `Accept-Encoding` becomes the codings of ours that the client wants, or none.
pub async fn settle_coding(mut request: Request, next: Next) -> Response {
    let headers = request.headers_mut();
    // Without a quality or a wildcard nothing can be refused.
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

/// How much the client wants a coding; `*` stands for each that is not named.
fn wanted(headers: &HeaderMap, coding: &str) -> Option<f32> {
    quality(headers, ACCEPT_ENCODING, coding).or_else(|| quality(headers, ACCEPT_ENCODING, "*"))
}

/// Whether the client takes answers in this coding.
#[must_use]
pub fn accepts(headers: &HeaderMap, coding: &str) -> bool {
    wanted(headers, coding).is_some_and(|quality| quality > 0.0)
}

/// Whether the body of a request is as it is, in no coding that would have to be undone first (RFC 9110 §8.4).
#[must_use]
pub fn is_plain(headers: &HeaderMap) -> bool {
    let legible = headers
        .get_all(CONTENT_ENCODING)
        .iter()
        .all(|line| line.to_str().is_ok());
    legible && elements(headers, CONTENT_ENCODING).all(|coding| coding.eq_ignore_ascii_case("identity"))
}
