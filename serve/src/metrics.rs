//! `/metrics` for a process whose room serves something else.

use axum::{
    Router,
    http::{HeaderValue, header},
    routing::get,
};
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::{Patience, serve};

/// The content type of Prometheus' text form.
pub const METRICS_TYPE: HeaderValue = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");

/// Answers `GET /metrics` with what `render` gives, until the guard is dropped: a process that drains is still measured.
#[must_use = "it stops when the guard is dropped"]
pub fn serve_metrics(listener: TcpListener, render: impl Fn() -> String + Clone + Send + Sync + 'static) -> DropGuard {
    let finished = CancellationToken::new();
    let answer = async move || ([(header::CONTENT_TYPE, METRICS_TYPE)], render());
    let router = Router::new().route("/metrics", get(answer));
    tokio::spawn(serve(router, listener, Patience::default(), finished.clone()));
    finished.drop_guard()
}
