//! The loop that accepts connections.

use std::time::Duration;

use axum::{
    Router,
    body::Body,
    extract::{ConnectInfo, Request},
    serve::{Listener, ListenerExt},
};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::ServiceExt;

use crate::host;

/// Time limits for clients.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// From the connection, or the end of a request, to the end of the next request's head. Idle connections are closed
    /// after this time too.
    pub head: Duration,
    /// For requests in flight at shutdown.
    pub drain: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            head: Duration::from_secs(15),
            drain: Duration::from_secs(25),
        }
    }
}

/// Serves until `stop` is cancelled, then accepts no more connections and lets running requests finish. Handlers find
/// the client's address as `ConnectInfo<SocketAddr>`.
pub async fn serve(router: Router, listener: TcpListener, patience: Patience, stop: CancellationToken) {
    let router = router.with_state::<()>(());
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(patience.head);
    let mut listener = listener.tap_io(|connection| {
        // Responses are small: waiting to fill a packet only delays them.
        if let Err(error) = connection.set_nodelay(true) {
            tracing::debug!(%error, "cannot set TCP_NODELAY");
        }
    });
    let connections = TaskTracker::new();
    loop {
        let (stream, peer) = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.cancelled() => break,
        };
        let router = router.clone();
        let service = service_fn(move |request: hyper::Request<Incoming>| {
            let mut request: Request = request.map(Body::new);
            request.extensions_mut().insert(ConnectInfo(peer));
            let router = router.clone();
            async move {
                match host::fault(&request) {
                    Some(words) => Ok(host::refuse(words)),
                    None => router.oneshot(request).await,
                }
            }
        });
        // In a box: pinned within the task, it would have its room twice, for as long as the connection lasts.
        let mut connection = Box::pin(http.serve_connection(TokioIo::new(stream), service).with_upgrades());
        let stop = stop.clone();
        connections.spawn(async move {
            let served = tokio::select! {
                served = connection.as_mut() => served,
                () = stop.cancelled() => {
                    connection.as_mut().graceful_shutdown();
                    connection.await
                }
            };
            if let Err(error) = served {
                tracing::debug!(%error, "a connection broke off");
            }
        });
    }
    connections.close();
    drop(listener);
    if tokio::time::timeout(patience.drain, connections.wait()).await.is_err() {
        tracing::warn!("stopped while requests were still running");
    }
}
