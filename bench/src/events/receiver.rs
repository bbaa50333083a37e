//! A service that webhooks are sent to: it answers at once, and notes what came when.

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;
use axum::{
    Router,
    extract::State,
    http::{HeaderMap, StatusCode},
    routing::post,
};
use chrono::{DateTime, Utc};
use tokio::{net::TcpListener, task::JoinHandle};
use usher_shared::foundation::time::now;
use uuid::Uuid;

/// The ids of events, each with the time at which it was here.
type Arrivals = Arc<Mutex<Vec<(DateTime<Utc>, Uuid)>>>;

/// Ends when dropped.
pub struct Receiver {
    pub url: String,
    arrivals: Arrivals,
    server: JoinHandle<()>,
}

impl Receiver {
    /// Listens on a free port of 127.0.0.1.
    pub async fn start() -> Result<Self> {
        let arrivals = Arrivals::default();
        let router = Router::new().route("/", post(take)).with_state(Arc::clone(&arrivals));
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}/", listener.local_addr()?);
        let server = tokio::spawn(async move { drop(axum::serve(listener, router).await) });
        Ok(Self { url, arrivals, server })
    }

    /// Each copy counts.
    pub fn count(&self) -> usize {
        self.arrivals.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// In the order in which they came.
    pub fn arrivals(&self) -> Vec<(DateTime<Utc>, Uuid)> {
        self.arrivals.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn take(State(arrivals): State<Arrivals>, headers: HeaderMap) -> StatusCode {
    let at = now();
    let id = headers.get("webhook-id").and_then(|id| id.to_str().ok()?.parse().ok());
    let Some(id) = id else {
        return StatusCode::BAD_REQUEST;
    };
    arrivals.lock().unwrap_or_else(PoisonError::into_inner).push((at, id));
    StatusCode::NO_CONTENT
}
