//! Whether the API is up, whether it can work, and which version it is.

use std::time::Duration;

use axum::{Json, extract::State, http::StatusCode};
use serde::Serialize;
use usher_shared::foundation::db;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::state::AppState;

/// How long a part may take to say that it is there.
const PATIENCE: Duration = Duration::from_secs(2);

pub(crate) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(live))
        .routes(routes!(ready))
        .routes(routes!(version))
}

/// The process is running.
#[derive(Serialize, ToSchema)]
#[schema(as = Live)]
struct LiveOut {
    #[schema(example = "live")]
    status: &'static str,
}

/// Liveness
///
/// Answers as long as the process runs, whatever the database does.
#[utoipa::path(
    get, path = "/health/live", operation_id = "isLive", tag = "Service",
    responses((status = 200, description = "The process is running", body = LiveOut)),
    security(()),
)]
async fn live() -> Json<LiveOut> {
    Json(LiveOut { status: "live" })
}

/// Whether the API is ready, with the state of what it depends on.
#[derive(Serialize, ToSchema)]
#[schema(as = Ready)]
struct ReadyOut {
    status: Readiness,
    database: Part,
    /// Wake-ups of jobs and shared rate limits. Without Redis everything still works; jobs start up to a second later.
    redis: Part,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Readiness {
    Ready,
    NotReady,
}

/// How a part is.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Part {
    Ok,
    Unreachable,
    /// The schema is older than this program needs: run `usher migrate up`.
    NotMigrated,
    /// Not configured.
    Off,
}

/// Readiness
///
/// For load balancers: 200 while the database is reachable and migrated. Redis is reported, not required.
#[utoipa::path(
    get, path = "/health/ready", operation_id = "isReady", tag = "Service",
    responses(
        (status = 200, description = "Ready", body = ReadyOut,
            example = json!({"status": "ready", "database": "ok", "redis": "off"})),
        (status = 503, description = "Not ready", body = ReadyOut,
            example = json!({"status": "not_ready", "database": "unreachable", "redis": "off"})),
    ),
    security(()),
)]
async fn ready(State(state): State<AppState>) -> (StatusCode, Json<ReadyOut>) {
    let (database, redis) = tokio::join!(database(&state), redis(&state));
    let (code, status) = match database {
        Part::Ok => (StatusCode::OK, Readiness::Ready),
        _ => (StatusCode::SERVICE_UNAVAILABLE, Readiness::NotReady),
    };
    let answer = ReadyOut {
        status,
        database,
        redis,
    };
    (code, Json(answer))
}

async fn database(state: &AppState) -> Part {
    match tokio::time::timeout(PATIENCE, db::check_schema(&state.db)).await {
        Ok(Ok(())) => Part::Ok,
        Ok(Err(db::SchemaError::Missing | db::SchemaError::Old | db::SchemaError::OldApp { .. })) => Part::NotMigrated,
        Ok(Err(db::SchemaError::Db(error))) => {
            tracing::warn!(%error, "not ready: the database does not answer");
            Part::Unreachable
        }
        Err(_) => Part::Unreachable,
    }
}

async fn redis(state: &AppState) -> Part {
    if state.config.redis_url.is_none() {
        return Part::Off;
    }
    match tokio::time::timeout(PATIENCE, state.job_store.transport().ping()).await {
        Ok(Ok(())) => Part::Ok,
        _ => Part::Unreachable,
    }
}

/// Which program this is.
#[derive(Serialize, ToSchema)]
#[schema(as = Version)]
struct VersionOut {
    #[schema(example = "usher")]
    name: &'static str,
    #[schema(example = "0.1.0")]
    version: &'static str,
}

/// Version
#[utoipa::path(
    get, path = "/version", operation_id = "getVersion", tag = "Service",
    responses((status = 200, description = "The program's version", body = VersionOut)),
    security(()),
)]
async fn version() -> Json<VersionOut> {
    Json(VersionOut {
        name: "usher",
        version: env!("CARGO_PKG_VERSION"),
    })
}
