//! Whole requests to the real API and the real admin, each over a SQLite of its own: nothing that can be sent is
//! answered with a 5xx, and every error has the form that clients are promised.

mod admin;
mod api;

use axum::{
    Router,
    body::{Body, Bytes},
    extract::ConnectInfo,
    http::{HeaderMap, HeaderValue, Request, StatusCode, header, response::Parts},
};
use http_body_util::BodyExt;
use std::net::SocketAddr;
use tower::ServiceExt;
use usher_shared::AppContext;
use usher_testkit::TestDb;

pub use admin::admin_requests;
pub use api::api_requests;

/// A request as text: method and address, headers, an empty line, the body. None when HTTP itself has no such request.
fn request(data: &[u8]) -> Option<Request<Vec<u8>>> {
    let blank = data.windows(2).position(|pair| pair == b"\n\n");
    let (head, body) = blank.map_or((data, &[][..]), |at| (&data[..at], &data[at + 2..]));
    let mut lines = head.split(|byte| *byte == b'\n');
    let first = str::from_utf8(lines.next()?).ok()?;
    let (method, address) = first.split_once(' ')?;
    let mut request = Request::builder().method(method).uri(address);
    for line in lines {
        let colon = line.iter().position(|byte| *byte == b':')?;
        request = request.header(&line[..colon], line[colon + 1..].trim_ascii());
    }
    let peer: SocketAddr = "203.0.113.7:50000".parse().expect("an address");
    request.extension(ConnectInfo(peer)).body(body.to_vec()).ok()
}

/// Adds a header that the request has not.
fn default(headers: &mut HeaderMap, name: header::HeaderName, value: &str) {
    let value = HeaderValue::from_str(value).expect("a value");
    headers.entry(name).or_insert(value);
}

async fn answer(router: &Router, request: Request<Vec<u8>>) -> (Parts, Bytes) {
    let told = format!("{} {}", request.method(), request.uri());
    let response = router
        .clone()
        .oneshot(request.map(Body::from))
        .await
        .expect("an answer");
    let (parts, body) = response.into_parts();
    let body = body.collect().await.expect("a whole body").to_bytes();
    assert!(
        parts.status < StatusCode::INTERNAL_SERVER_ERROR,
        "{told}: {} {}",
        parts.status,
        String::from_utf8_lossy(&body)
    );
    (parts, body)
}

/// A house over a new SQLite.
async fn app(db: &TestDb, settings: &[(&str, &str)]) -> AppContext {
    db.app(&[&[("SIGN_UP", "open")], settings].concat()).await
}
