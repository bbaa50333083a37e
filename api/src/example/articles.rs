//! Articles: what people write. A signed-in user sees and changes their own; a key with a scope sees all.

use axum::extract::State;
use chrono::{DateTime, Utc};
use sea_orm::{ActiveValue::Set, Condition};
use serde::Serialize;
use usher_api::{
    Accepted, ApiError, ApiKey, AppState, Body, Context, Created, FromFields, IfMatch, IfNoneMatch, KeyOrUser, ListOut,
    ListQuery, Listed, OnConstraint, OpenApiRouter, PathId, Query, Text, UsersRead, UsersWrite, Versioned, create_row,
    operation, operations, rfc3339, update_row,
};
use usher_shared::jobs::enqueue;
use utoipa::ToSchema;

use super::article::{self, ArticleState, Column};
use super::kinds::PublishArticle;

pub(crate) fn router() -> OpenApiRouter<AppState> {
    operations![
        list_articles,
        create_article,
        get_article,
        update_article,
        publish_article
    ]
}

/// What clients see of an article.
#[derive(Serialize, ToSchema, Listed)]
#[schema(as = Article)]
#[listed(entity = article::Entity, sorts(id, published_at), filters(author_id))]
struct ArticleOut {
    #[schema(example = 1)]
    id: i64,
    #[schema(example = "On engines")]
    title: String,
    /// The id of the user who wrote it.
    author_id: i64,
    /// Null as long as it is a draft.
    #[serde(serialize_with = "rfc3339")]
    published_at: Option<DateTime<Utc>>,
}

/// A new article.
#[derive(FromFields)]
#[schema(entity = article::Entity, patch = ArticlePatchIn)]
struct NewArticleIn {
    #[schema(example = "On engines")]
    title: Text<1, 200>,
    /// The id of the user who wrote it.
    #[schema(example = 1, create_only)]
    author_id: i64,
}

/// List articles
///
/// Newest first unless `sort` says otherwise; drafts come last by `published_at`, or first the other way round.
#[operation(get, "/articles")]
async fn list_articles(
    State(state): State<AppState>,
    caller: KeyOrUser<UsersRead>,
    Query(query): Query<ListQuery<ArticleOut>>,
) -> Result<ListOut<ArticleOut>, ApiError> {
    query.list(&state, caller.filter(Column::AuthorId)).await
}

/// Create an article
///
/// It is a draft until it is published.
#[operation(post, "/articles")]
async fn create_article(
    State(state): State<AppState>,
    Context(context): Context,
    key: ApiKey<UsersWrite>,
    Body(body): Body<NewArticleIn>,
) -> Result<Created<ArticleOut>, ApiError> {
    let tx = state.begin().await?;
    let row = article::ActiveModel {
        state: Set(ArticleState::Draft),
        ..body.into()
    };
    let article = create_row::<article::Entity>(&tx, row, "article", &key.actor(&context)).await;
    let article = article.on_missing("author_id")?;
    tx.commit().await?;
    Ok(Created::new(&state, "/articles", article.id, article).version(1))
}

/// Look an article up
#[operation(get, "/articles/{id}")]
async fn get_article(
    State(state): State<AppState>,
    caller: KeyOrUser<UsersRead>,
    id: PathId,
    known: IfNoneMatch,
) -> Result<Versioned<ArticleOut>, ApiError> {
    let article = id
        .row::<article::Entity>(&state.db, caller.rows(Column::AuthorId))
        .await?;
    Ok(known.answer(article.version, article))
}

/// Change an article
///
/// Send the `ETag` you have seen as `If-Match`, so that you don't overwrite someone else's change.
#[operation(patch, "/articles/{id}")]
async fn update_article(
    State(state): State<AppState>,
    Context(context): Context,
    caller: KeyOrUser<UsersWrite>,
    id: PathId,
    expected: IfMatch,
    Body(body): Body<ArticlePatchIn>,
) -> Result<Versioned<ArticleOut>, ApiError> {
    let tx = state.begin().await?;
    caller.hold(&tx).await?;
    let rows = caller.rows(Column::AuthorId);
    let before = id.row_for_change::<article::Entity>(&tx, rows).await?;
    expected.allows(before.version)?;
    let actor = caller.actor(&context);
    let article = update_row::<article::Entity>(&tx, before, body.into(), "article", &actor).await?;
    tx.commit().await?;
    Ok(Versioned::new(article.version, article))
}

/// Publish an article
///
/// The job that does it commits before this answers. Publishing what is published changes nothing.
#[operation(post, "/articles/{id}/publish", ok = "It will be published")]
async fn publish_article(
    State(state): State<AppState>,
    _key: ApiKey<UsersWrite>,
    id: PathId,
) -> Result<Accepted, ApiError> {
    let tx = state.begin().await?;
    let article = id.row_for_change::<article::Entity>(&tx, Condition::all()).await?;
    if article.state == ArticleState::Draft {
        enqueue(&tx, PublishArticle { article_id: article.id }).await?;
    }
    tx.commit().await?;
    Ok(Accepted)
}
