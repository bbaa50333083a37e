//! `GET /api-keys`: every key there is or was.

use axum::extract::State;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::shape::KeyOut;
use crate::{
    state::AppState,
    toolkit::{
        caller::Superuser,
        error::ApiError,
        list::{ListIn, ListOut, ListQuery, limit_fault},
        openapi::{Errors, SUPERUSER_ERRORS, error_list},
        query::Query,
    },
};

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list))
}

/// List API keys
///
/// Newest first unless `sort` says otherwise; revoked and expired ones as well. The keys themselves are not shown.
#[utoipa::path(
    get, path = "/api-keys", operation_id = "listApiKeys", tag = "API keys",
    params(
        ("sort" = Option<String>, Query, example = "-id", pattern = "^-?id$", description = "`id` or `-id`"),
        ListIn,
    ),
    responses(
        (
            status = 200, description = "A page of keys", body = ListOut<KeyOut>,
            headers(("Link" = String, description = "The pages beside this one, as `next` and `prev` (RFC 8288)")),
        ),
        Errors<List>,
    ),
    security(("accessToken" = [])),
)]
async fn list(
    State(state): State<AppState>,
    _superuser: Superuser,
    Query(query): Query<ListQuery<KeyOut>>,
) -> Result<ListOut<KeyOut>, ApiError> {
    query.list(&state, []).await
}

error_list!(List, [SUPERUSER_ERRORS], [INVALID_REQUEST], limit_fault);
