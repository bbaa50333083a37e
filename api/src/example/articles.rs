//! `GET /articles`: what was written, in pages. `POST /articles/{id}/publish`: from soon on, everybody may read it.

use axum::{extract::State, http::StatusCode};
use chrono::{DateTime, Utc};
use sea_orm::EntityTrait;
use serde::Serialize;
use usher_api::{
    ApiError, ApiKey, AppState, Code, Errors, KEY_ERRORS, ListIn, ListOut, ListQuery, Listed, OpenApiRouter, PathId,
    Query, UsersRead, UsersWrite, error_list, limit_fault, routes,
};
use usher_shared::jobs::enqueue;
use utoipa::ToSchema;

use super::article::{self, ArticleState};
use super::kinds::PublishArticle;

pub(crate) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(publish))
}

/// What clients see of an article.
#[derive(Serialize, ToSchema, Listed)]
#[schema(as = Article)]
#[listed(entity = article::Entity, sorts(id, published_at))]
pub(crate) struct ArticleOut {
    #[schema(example = 1)]
    id: i64,
    #[schema(example = "On engines")]
    title: String,
    /// The id of the user who wrote it.
    author_id: i64,
    /// Null as long as it is a draft.
    published_at: Option<DateTime<Utc>>,
}

/// List articles
///
/// Newest first.
#[utoipa::path(
    get, path = "/articles", operation_id = "listArticles", tag = "Articles",
    params(
        (
            "sort" = Option<String>, Query, pattern = "^-?(id|published_at)$",
            description = "`id` or `published_at`, with a leading `-` to reverse the order; drafts come last, or first",
        ),
        ListIn,
    ),
    responses(
        (status = 200, description = "A page of articles", body = ListOut<ArticleOut>),
        Errors<List>,
    ),
    security(("apiKey" = ["users:read"])),
)]
async fn list(
    State(state): State<AppState>,
    _key: ApiKey<UsersRead>,
    Query(query): Query<ListQuery<ArticleOut>>,
) -> Result<ListOut<ArticleOut>, ApiError> {
    query.list(&state, []).await
}

error_list!(List, [KEY_ERRORS], [INVALID_REQUEST], limit_fault);

/// Publish an article
///
/// The job that does it commits before this answers. Publishing what is published changes nothing.
#[utoipa::path(
    post, path = "/articles/{id}/publish", operation_id = "publishArticle", tag = "Articles",
    params(("id" = i64, Path, description = "The article's id")),
    responses((status = 202, description = "It will be published"), Errors<Publish>),
    security(("apiKey" = ["users:write"])),
)]
async fn publish(State(state): State<AppState>, _key: ApiKey<UsersWrite>, id: PathId) -> Result<StatusCode, ApiError> {
    let tx = state.begin().await?;
    let article = article::Entity::find_by_id(id.found()?).one(&*tx).await?;
    let article = article.ok_or(Code::NOT_FOUND)?;
    if article.state == ArticleState::Draft {
        let job = PublishArticle { article_id: article.id };
        enqueue(&tx, job).await?;
    }
    tx.commit().await?;
    Ok(StatusCode::ACCEPTED)
}

error_list!(Publish, [KEY_ERRORS], [NOT_FOUND]);
