//! `GET /articles`: what was written, in pages. `POST /articles/{id}/publish`: from soon on, everybody may read it.

use axum::{
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use chrono::{DateTime, Utc};
use sea_orm::{Condition, DbErr, EntityTrait, QueryResult, Value};
use serde::Serialize;
use usher_shared::jobs::enqueue;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::article::{self, ArticleState, Column};
use super::kinds::PublishArticle;
use crate::{
    state::AppState,
    toolkit::{
        caller::{ApiKey, UsersRead, UsersWrite},
        code::Code,
        error::ApiError,
        list::{ListIn, ListOut, ListQuery, Listed, limit_fault},
        openapi::{Errors, KEY_ERRORS, error_list},
        path_id::PathId,
        query::Query,
    },
};

pub(crate) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(publish))
}

/// What clients see of an article.
#[derive(Serialize, ToSchema)]
#[schema(as = Article)]
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

impl Listed for article::Entity {
    const PATH: &'static str = "/articles";
    const SORTS: &'static [(&'static str, Column)] = &[("id", Column::Id), ("published_at", Column::PublishedAt)];
    const ID: Column = Column::Id;
    const SHARED: &'static [&'static str] = &["published_at"];

    type Row = ArticleOut;
    const COLUMNS: &'static [Column] = &[Column::Id, Column::Title, Column::AuthorId, Column::PublishedAt];

    fn visible() -> Condition {
        Condition::all()
    }

    fn read(row: &QueryResult) -> Result<ArticleOut, DbErr> {
        Ok(ArticleOut {
            id: row.try_get_by_index(0)?,
            title: row.try_get_by_index(1)?,
            author_id: row.try_get_by_index(2)?,
            published_at: row.try_get_by_index(3)?,
        })
    }

    fn value(row: &ArticleOut, column: Column) -> Value {
        match column {
            Column::PublishedAt => row.published_at.into(),
            _ => row.id.into(),
        }
    }
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
    Query(query): Query<ListQuery<article::Entity>>,
) -> Result<Response, ApiError> {
    let page = query.page(&state.db, &[]).await?;
    query.answer(page, &state, |article| article)
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
async fn publish(
    State(state): State<AppState>,
    _key: ApiKey<UsersWrite>,
    PathId(id): PathId,
) -> Result<Response, ApiError> {
    let tx = state.job_store.begin().await?;
    let article = article::Entity::find_by_id(id.unwrap_or_default()).one(&*tx).await?;
    let article = article.ok_or(Code::NOT_FOUND)?;
    if article.state == ArticleState::Draft {
        let job = PublishArticle { article_id: article.id };
        enqueue(&tx, job).await?;
    }
    tx.commit().await?;
    Ok(StatusCode::ACCEPTED.into_response())
}

error_list!(Publish, [KEY_ERRORS], [NOT_FOUND]);
