//! `/health/live`, `/health/ready` and `/metrics`.

use std::{sync::Arc, time::Duration};

use axum::{
    Json, Router,
    extract::State,
    http::{StatusCode, header},
    response::IntoResponse,
    routing::get,
};
use serde::Serialize;
use tokio::{net::TcpListener, sync::watch, time::timeout};
use tokio_util::sync::CancellationToken;
use usher_serve::{METRICS_TYPE, Patience};
use usher_shared::{
    AppContext, OpenError,
    foundation::db::{self, SchemaError},
};

use super::{backlog::Backlog, metrics::Metrics};

/// How long the database and Redis may take to answer.
const PATIENCE: Duration = Duration::from_secs(2);

#[derive(Clone)]
pub(crate) struct Health {
    metrics: Arc<Metrics>,
    backlog: Arc<Backlog>,
    /// Those whose backlog is reported.
    queues: Arc<[String]>,
    /// The application once it is open; until then, why it isn't.
    app: watch::Receiver<Result<AppContext, Part>>,
}

#[derive(Serialize)]
struct Ready {
    status: &'static str,
    database: Part,
    /// Reported, not required: without it, jobs start up to a second later.
    redis: Part,
}

/// The state of a dependency, in the words of the API's `/health/ready`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Part {
    Ok,
    Unreachable,
    NotMigrated,
    /// Not configured.
    Off,
}

impl From<&OpenError> for Part {
    fn from(error: &OpenError) -> Self {
        match error {
            OpenError::Schema(SchemaError::Missing | SchemaError::Old | SchemaError::OldApp { .. }) => {
                Self::NotMigrated
            }
            _ => Self::Unreachable,
        }
    }
}

impl Health {
    pub(crate) fn new(
        metrics: Arc<Metrics>,
        queues: Vec<String>,
        app: watch::Receiver<Result<AppContext, Part>>,
    ) -> Self {
        Self {
            metrics,
            backlog: Arc::default(),
            queues: queues.into(),
            app,
        }
    }

    fn router(self) -> Router {
        Router::new()
            .route(
                "/health/live",
                get(async || Json(serde_json::json!({ "status": "live" }))),
            )
            .route("/health/ready", get(ready))
            .route("/metrics", get(metrics))
            .with_state(self)
    }

    /// Serves until the process stops.
    pub(crate) async fn serve(self, listener: TcpListener, shutdown: CancellationToken) {
        usher_serve::serve(self.router(), listener, Patience::default(), shutdown).await;
    }
}

async fn ready(State(health): State<Health>) -> impl IntoResponse {
    let opened = health.app.borrow().clone();
    let (database, redis) = match opened {
        Ok(app) => tokio::join!(database(&app), redis(&app)),
        Err(part) => (part, Part::Off),
    };
    let (code, status) = if database == Part::Ok {
        (StatusCode::OK, "ready")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "not_ready")
    };
    (
        code,
        Json(Ready {
            status,
            database,
            redis,
        }),
    )
}

async fn database(app: &AppContext) -> Part {
    match timeout(PATIENCE, db::check_schema(&app.db)).await {
        Ok(Ok(())) => Part::Ok,
        Ok(Err(SchemaError::Missing | SchemaError::Old | SchemaError::OldApp { .. })) => Part::NotMigrated,
        Ok(Err(SchemaError::Db(_))) | Err(_) => Part::Unreachable,
    }
}

async fn redis(app: &AppContext) -> Part {
    if app.config.redis_url.is_none() {
        return Part::Off;
    }
    match timeout(PATIENCE, app.job_store.transport().ping()).await {
        Ok(Ok(())) => Part::Ok,
        _ => Part::Unreachable,
    }
}

async fn metrics(State(health): State<Health>) -> impl IntoResponse {
    let opened = health.app.borrow().clone();
    let of_app = match opened {
        Ok(app) => app.render_metrics() + &*health.backlog.render(&app.db, &health.queues).await,
        Err(_) => String::new(),
    };
    (
        [(header::CONTENT_TYPE, METRICS_TYPE)],
        health.metrics.render() + &*of_app,
    )
}
