//! `/metrics` on an address of its own.

use axum::{
    Router,
    http::{HeaderValue, header},
    routing::get,
};
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::server::{Patience, serve};

/// The content type of the Prometheus text format.
pub const METRICS_TYPE: HeaderValue = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");

/// Answers `GET /metrics` with the text from `render` until the guard is dropped, so a draining process is still
/// measured.
#[must_use = "it stops when the guard is dropped"]
pub fn serve_metrics(listener: TcpListener, render: impl Fn() -> String + Clone + Send + Sync + 'static) -> DropGuard {
    let finished = CancellationToken::new();
    let answer = async move || ([(header::CONTENT_TYPE, METRICS_TYPE)], render());
    let router = Router::new().route("/metrics", get(answer));
    tokio::spawn(serve(router, listener, Patience::default(), finished.clone()));
    finished.drop_guard()
}
