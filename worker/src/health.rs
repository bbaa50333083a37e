//! What the worker tells a balancer and a scraper: `/health/live`, `/health/ready` and `/metrics`.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use axum::{Json, Router, extract::State, http::StatusCode, http::header, response::IntoResponse, routing::get};
use serde::Serialize;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use usher_shared::{House, db};

use crate::{keep::within, metrics::Metrics};

const ANSWER_LIMIT: Duration = Duration::from_secs(2);

/// What the answers are read from; the house is there once the database was reached.
#[derive(Clone)]
pub(crate) struct Health {
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) house: Arc<OnceLock<House>>,
}

#[derive(Serialize)]
struct Ready {
    status: &'static str,
    database: &'static str,
    queue: &'static str,
}

impl Health {
    pub(crate) fn router(self) -> Router {
        Router::new()
            .route(
                "/health/live",
                get(async || Json(serde_json::json!({ "status": "live" }))),
            )
            .route("/health/ready", get(ready))
            .route("/metrics", get(metrics))
            .with_state(self)
    }

    /// Answers until the process stops.
    pub(crate) async fn serve(self, listener: TcpListener, shutdown: CancellationToken) {
        let served = axum::serve(listener, self.router()).with_graceful_shutdown(shutdown.cancelled_owned());
        if let Err(error) = served.await {
            tracing::error!(%error, "health and metrics are no longer served");
        }
    }
}

async fn ready(State(health): State<Health>) -> impl IntoResponse {
    let Some(house) = health.house.get() else {
        return (
            StatusCode::SERVICE_UNAVAILABLE,
            Json(Ready::not("unreachable or not migrated", "unknown")),
        );
    };
    let transport = house.ledger.transport();
    let (database, queue) = tokio::join!(
        within(ANSWER_LIMIT, db::check_schema(&house.db)),
        within(ANSWER_LIMIT, transport.ping())
    );
    let queue = match queue {
        Ok(()) => transport.name(),
        Err(_) => "unreachable",
    };
    match database {
        Ok(()) => (
            StatusCode::OK,
            Json(Ready {
                status: "ready",
                database: "ok",
                queue,
            }),
        ),
        Err(_) => (
            StatusCode::SERVICE_UNAVAILABLE,
            Json(Ready::not("unreachable or not migrated", queue)),
        ),
    }
}

impl Ready {
    fn not(database: &'static str, queue: &'static str) -> Self {
        Self {
            status: "not ready",
            database,
            queue,
        }
    }
}

async fn metrics(State(health): State<Health>) -> impl IntoResponse {
    (
        [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")],
        health.metrics.render(),
    )
}
