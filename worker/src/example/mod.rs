//! The job of `docs/adding-a-model.md`, done: what the document says is what is compiled and run here.

#[path = "../../../admin/src/example/article.rs"]
mod article;
mod kinds {
    use serde::{Deserialize, Serialize};
    use usher_shared::jobs::Job;

    include!("kinds.rs");
}
mod publish_article;

use std::time::Duration;

use sea_orm::{ActiveModelTrait, ActiveValue::Set, ConnectionTrait, EntityTrait};
use tokio_util::sync::CancellationToken;
use usher_shared::{foundation::time::now, jobs::enqueue};
use usher_testkit::{TestDb, create_tables, on_both, sign_up};

use crate::{Options, Registry, Worker};
use article::{ArticleState, Entity};
use kinds::PublishArticle;

const DOCUMENT: &str = include_str!("../../../docs/adding-a-model.md");
const SQL: &str = include_str!("../../../admin/src/example/articles.sql");

#[test]
fn the_document_holds_the_job_that_is_compiled_here() {
    let handler = include_str!("publish_article.rs")
        .replace(
            "use super::article::",
            "use usher_shared::foundation::entity::article::",
        )
        .replace("use super::kinds::", "use usher_shared::jobs::");
    for code in [include_str!("kinds.rs"), &handler] {
        let block = format!("```rust\n{}\n```", code.trim_end());
        assert!(DOCUMENT.contains(&block), "the document must hold:\n{block}");
    }
}

#[on_both]
async fn an_article_is_published_once(db: TestDb) {
    let app = db.app(&[]).await;
    create_tables(&app.db, SQL).await;

    let author = sign_up(&app.job_store, "Ines Oduya", "ines@example.org").await;
    let tx = app.job_store.begin().await.expect("a transaction");
    let at = now();
    let article = article::ActiveModel {
        title: Set("On engines".to_owned()),
        author_id: Set(author.id),
        state: Set(ArticleState::Draft),
        version: Set(1),
        created_at: Set(at),
        updated_at: Set(at),
        ..Default::default()
    };
    let article_id = article.insert(&*tx).await.expect("an article").id;
    for _ in 0..2 {
        enqueue(&tx, PublishArticle { article_id }).await.expect("a job");
    }
    tx.commit().await.expect("a commit");

    let stop = CancellationToken::new();
    let registry = Registry::new().register::<PublishArticle>(publish_article::POLICY, publish_article::publish);
    let worker = Worker::new(registry, Options::default());
    let (running, stopped) = (app.clone(), stop.clone());
    let run = tokio::spawn(async move { worker.run(&running, stopped).await });
    let done = "SELECT CAST(count(*) AS bigint) AS number FROM jobs WHERE kind = 'publish_article' AND state = 'done'";
    loop {
        let backend = app.db.get_database_backend();
        let row = app
            .db
            .query_one_raw(sea_orm::Statement::from_string(backend, done))
            .await
            .expect("a query");
        if row.expect("a row").try_get::<i64>("", "number").expect("a number") == 2 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    stop.cancel();
    run.await.expect("no panic").expect("a worker that ends well");
    let published = Entity::find_by_id(article_id)
        .one(&app.db)
        .await
        .expect("a query")
        .expect("the article");
    assert_eq!(
        (published.state, published.version),
        (ArticleState::Published, 2),
        "the second job changed nothing"
    );
    assert!(published.published_at.is_some());
}
