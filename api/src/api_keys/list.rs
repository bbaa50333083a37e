//! `GET /api-keys`: every key there is or was.

use axum::extract::State;
use usher_api_macros::operation;
use utoipa_axum::router::OpenApiRouter;

use super::shape::KeyOut;
use crate::{
    operations,
    state::AppState,
    toolkit::{
        caller::Superuser,
        error::ApiError,
        list::{ListOut, ListQuery},
        query::Query,
    },
};

pub(super) fn router() -> OpenApiRouter<AppState> {
    operations![list_api_keys]
}

/// List API keys
///
/// Newest first unless `sort` says otherwise; revoked and expired ones as well. The keys themselves are not shown.
#[operation(get, "/api-keys", tag = "API keys", object = "keys")]
async fn list_api_keys(
    State(state): State<AppState>,
    _superuser: Superuser,
    Query(query): Query<ListQuery<KeyOut>>,
) -> Result<ListOut<KeyOut>, ApiError> {
    query.list(&state, []).await
}
