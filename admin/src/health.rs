//! Liveness and readiness, for load balancers and orchestrators.

use axum::{
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use usher_shared::foundation::db;

use crate::state::AppState;

/// `GET /health/live`
pub(crate) async fn live() -> &'static str {
    "live\n"
}

/// `GET /health/ready`: 200, or 503 with the reason while the database is unreachable or not migrated.
pub(crate) async fn ready(State(state): State<AppState>) -> Response {
    match db::check_schema(&state.db).await {
        Ok(()) => "ready\n".into_response(),
        Err(error) => {
            tracing::warn!(%error, "not ready");
            (
                StatusCode::SERVICE_UNAVAILABLE,
                "not ready: the database is unreachable or not migrated\n",
            )
                .into_response()
        }
    }
}
