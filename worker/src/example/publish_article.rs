//! `publish_article`: from now on everybody may read it.

use sea_orm::{
    ColumnTrait, EntityTrait, QueryFilter,
    sea_query::{Expr, ExprTrait},
};
use usher_shared::foundation::time::now;

use super::article::{ArticleState, Column, Entity};
use super::kinds::PublishArticle;
use crate::{
    foundation::JobError,
    runtime::{JobContext, Policy},
};

pub(crate) const POLICY: Policy = Policy::DEFAULT;

pub(crate) async fn publish(job: PublishArticle, context: JobContext) -> Result<(), JobError> {
    let tx = context.begin().await?;
    Entity::update_many()
        .col_expr(Column::State, Expr::value(ArticleState::Published))
        .col_expr(Column::PublishedAt, Expr::value(now()))
        .col_expr(Column::UpdatedAt, Expr::value(now()))
        .col_expr(Column::Version, Expr::col(Column::Version).add(1))
        .filter(Column::Id.eq(job.article_id))
        .filter(Column::State.eq(ArticleState::Draft))
        .exec(&*tx)
        .await?;
    context.complete(tx).await
}
