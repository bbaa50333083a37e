//! A service that gets webhooks, in this process: it keeps what it is sent and answers as it is told.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::post,
};
use serde_json::Value;
use tokio::{net::TcpListener, task::JoinHandle, time::sleep};

use crate::run::eventually;

/// A webhook as it arrived.
#[derive(Clone, Debug)]
pub struct Webhook {
    pub headers: HeaderMap,
    pub body: String,
}

impl Webhook {
    /// A header's value; empty where there is none.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }

    /// The body.
    ///
    /// # Panics
    ///
    /// If it is not JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect("JSON")
    }
}

/// How a webhook is answered.
#[derive(Clone, Debug)]
pub enum Reply {
    /// This status, and a body.
    Status(u16, &'static str),
    /// This status, and how long to wait in seconds.
    RetryAfter(u16, u32),
    /// This status, and another address.
    Redirect(u16, String),
    /// Nothing for so long, then 204.
    Hang(Duration),
}

/// The service.
pub struct Receiver {
    kept: Arc<Kept>,
    url: String,
    server: JoinHandle<()>,
}

#[derive(Default)]
struct Kept {
    webhooks: Mutex<Vec<Webhook>>,
    replies: Mutex<VecDeque<Reply>>,
}

impl Receiver {
    /// Listens on a free port of 127.0.0.1, and answers 204.
    ///
    /// # Panics
    ///
    /// If no port is free.
    pub async fn start() -> Self {
        let kept = Arc::new(Kept::default());
        let router = Router::new().route("/", post(take)).with_state(Arc::clone(&kept));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}/", listener.local_addr().expect("an address"));
        let server = tokio::spawn(async move { axum::serve(listener, router).await.expect("it serves") });
        Self { kept, url, server }
    }

    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Answers the next webhooks so, one after the other, and then 204 again.
    pub fn reply(&self, replies: impl IntoIterator<Item = Reply>) {
        lock(&self.kept.replies).extend(replies);
    }

    /// What has arrived.
    #[must_use]
    pub fn webhooks(&self) -> Vec<Webhook> {
        lock(&self.kept.webhooks).clone()
    }

    /// The same, once there are so many.
    pub async fn wait_for(&self, count: usize, limit: Duration) -> Vec<Webhook> {
        let arrived = async || Some(self.webhooks()).filter(|webhooks| webhooks.len() >= count);
        eventually(limit, &format!("{count} webhooks"), arrived).await
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn take(State(kept): State<Arc<Kept>>, headers: HeaderMap, body: Bytes) -> Response {
    let body = String::from_utf8_lossy(&body).into_owned();
    lock(&kept.webhooks).push(Webhook { headers, body });
    let reply = lock(&kept.replies).pop_front();
    let status = |code| StatusCode::from_u16(code).expect("a status");
    match reply {
        None => StatusCode::NO_CONTENT.into_response(),
        Some(Reply::Status(code, text)) => (status(code), text).into_response(),
        Some(Reply::RetryAfter(code, seconds)) => {
            (status(code), [(header::RETRY_AFTER, seconds.to_string())]).into_response()
        }
        Some(Reply::Redirect(code, location)) => (status(code), [(header::LOCATION, location)]).into_response(),
        Some(Reply::Hang(pause)) => {
            sleep(pause).await;
            StatusCode::NO_CONTENT.into_response()
        }
    }
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}
