//! `GET /api-keys`: every key there is or was.

use axum::{extract::State, response::Response};
use sea_orm::{Condition, DbErr, QueryResult, Value};
use usher_shared::foundation::entity::api_key::{self, Column};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::shape::KeyOut;
use crate::{
    state::AppState,
    toolkit::{
        caller::Superuser,
        error::ApiError,
        list::{ListIn, ListOut, ListQuery, Listed, limit_fault},
        openapi::{Errors, SUPERUSER_ERRORS, error_list},
        query::Query,
    },
};

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list))
}

impl Listed for api_key::Entity {
    const PATH: &'static str = "/api-keys";
    const SORTS: &'static [(&'static str, Column)] = &[("id", Column::Id)];
    const ID: Column = Column::Id;

    type Row = KeyOut;
    const COLUMNS: &'static [Column] = &[
        Column::Id,
        Column::Name,
        Column::Hint,
        Column::Scopes,
        Column::AllowedCidrs,
        Column::RequestsPerMinute,
        Column::CreatedBy,
        Column::CreatedAt,
        Column::ExpiresAt,
        Column::LastUsedAt,
        Column::RevokedAt,
        Column::PreviousUntil,
    ];

    /// Revoked ones stay in the list, for the record.
    fn visible() -> Condition {
        Condition::all()
    }

    fn read(row: &QueryResult) -> Result<KeyOut, DbErr> {
        KeyOut::read(row)
    }

    fn value(row: &KeyOut, _column: Column) -> Value {
        row.id.into()
    }
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
    Query(list): Query<ListQuery<api_key::Entity>>,
) -> Result<Response, ApiError> {
    let page = list.page(&state.db, &[]).await?;
    list.answer(page, &state, |key| key)
}

error_list!(List, [SUPERUSER_ERRORS], [INVALID_REQUEST], limit_fault);
