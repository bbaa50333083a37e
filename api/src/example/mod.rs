//! The API of `docs/adding-a-model.md`, done: what the document says is what is compiled and served here.

#[path = "../../../admin/src/example/article.rs"]
mod article;
mod articles;
mod kinds {
    use serde::{Deserialize, Serialize};
    use usher_shared::jobs::Job;

    include!("../../../worker/src/example/kinds.rs");
}

use std::net::SocketAddr;

use axum::{
    body::Body,
    extract::ConnectInfo,
    http::{Method, Request, StatusCode, header},
};
use http_body_util::BodyExt;
use sea_orm::{ActiveModelTrait, ActiveValue::Set, EntityTrait};
use serde_json::Value;
use tower::ServiceExt;
use usher_shared::{
    accounts::api_keys::{self, Scope},
    foundation::{entity::job, time::now},
};
use usher_testkit::{TestDb, create_tables, on_both, superuser};

use crate::{AppState, openapi::operations, router::over};
use article::ArticleState;

const DOCUMENT: &str = include_str!("../../../docs/adding-a-model.md");
const SQL: &str = include_str!("../../../admin/src/example/articles.sql");

#[test]
fn the_document_holds_the_code_that_is_compiled_here() {
    let code = include_str!("articles.rs")
        .replace(
            "use super::article::",
            "use usher_shared::foundation::entity::article::",
        )
        .replace("use super::kinds::", "use usher_shared::jobs::");
    let block = format!("```rust\n{}\n```", code.trim_end());
    assert!(DOCUMENT.contains(&block), "the document must hold:\n{block}");
}

#[on_both]
async fn articles_are_listed_and_published(db: TestDb) {
    let app = db.app(&[]).await;
    create_tables(&app.db, SQL).await;
    let author = superuser(&app.db, "Ines Oduya", "ines@example.org", "none").await;
    for title in ["On engines", "On machines", "On tables"] {
        let at = now();
        let row = article::ActiveModel {
            title: Set(title.to_owned()),
            author_id: Set(author.id),
            state: Set(ArticleState::Draft),
            version: Set(1),
            created_at: Set(at),
            updated_at: Set(at),
            ..Default::default()
        };
        row.insert(&app.db).await.expect("an article");
    }
    let scopes = [Scope::UsersRead, Scope::UsersWrite];
    let (_, key) = api_keys::create(&app.db, "test", &scopes, None, None)
        .await
        .expect("a key");
    let service = over(operations().merge(articles::router()), AppState::new(&app));
    let send = async |method: Method, path: &str, key: Option<&str>| {
        let mut request = Request::builder().method(method).uri(path);
        if let Some(key) = key {
            request = request.header(header::AUTHORIZATION, format!("Bearer {key}"));
        }
        let mut request = request.body(Body::empty()).expect("a request");
        request
            .extensions_mut()
            .insert(ConnectInfo(SocketAddr::from(([203, 0, 113, 7], 50_000))));
        let answer = service.clone().oneshot(request).await.expect("an answer");
        let status = answer.status();
        let bytes = answer.into_body().collect().await.expect("a body").to_bytes();
        (status, serde_json::from_slice::<Value>(&bytes).unwrap_or_default())
    };
    let key = Some(key.as_str());
    let (status, page) = send(Method::GET, "/articles?limit=2", key).await;
    assert_eq!(
        (status, &page["data"][0]["title"], &page["has_more"]),
        (StatusCode::OK, &"On tables".into(), &true.into()),
        "{page}"
    );
    let next = format!(
        "/articles?limit=2&cursor={}",
        page["next_cursor"].as_str().expect("a cursor")
    );
    let (_, page) = send(Method::GET, &next, key).await;
    assert_eq!(
        (&page["data"][0]["title"], &page["has_more"]),
        (&"On engines".into(), &false.into()),
        "{page}"
    );
    // Two have the same time, and three have none: each is met once, whichever way and however small the pages.
    let at = now();
    for (title, published_at) in [
        ("first", None),
        ("second", Some(at)),
        ("third", Some(at)),
        ("fourth", Some(at - chrono::TimeDelta::days(1))),
        ("fifth", None),
    ] {
        let row = article::ActiveModel {
            title: Set(title.to_owned()),
            author_id: Set(author.id),
            state: Set(ArticleState::Draft),
            published_at: Set(published_at),
            version: Set(1),
            created_at: Set(at),
            updated_at: Set(at),
            ..Default::default()
        };
        row.insert(&app.db).await.expect("an article");
    }
    let upwards = [7, 5, 6, 1, 2, 3, 4, 8];
    for (sort, expected) in [
        ("published_at", upwards),
        ("-published_at", {
            let mut down = upwards;
            down.reverse();
            down
        }),
    ] {
        for limit in [1, 2, 3, 7, 8] {
            let (mut met, mut at, mut back) = (vec![], format!("/articles?sort={sort}&limit={limit}"), None);
            loop {
                let (status, page) = send(Method::GET, &at, key).await;
                assert_eq!(status, StatusCode::OK, "{page}");
                met.extend(
                    page["data"]
                        .as_array()
                        .expect("rows")
                        .iter()
                        .map(|row| row["id"].as_i64().expect("an id")),
                );
                back = page["prev_cursor"].as_str().map(str::to_owned).or(back);
                let Some(next) = page["next_cursor"].as_str() else {
                    break;
                };
                at = format!("/articles?sort={sort}&limit={limit}&cursor={next}");
            }
            assert_eq!(met, expected, "{sort} by {limit}");
            let last = (expected.len() - 1) / limit * limit;
            let mut before = vec![];
            while let Some(cursor) = back {
                let (_, page) = send(
                    Method::GET,
                    &format!("/articles?sort={sort}&limit={limit}&cursor={cursor}"),
                    key,
                )
                .await;
                let rows = page["data"]
                    .as_array()
                    .expect("rows")
                    .iter()
                    .map(|row| row["id"].as_i64().expect("an id"));
                before.splice(0..0, rows.collect::<Vec<_>>());
                back = page["prev_cursor"].as_str().map(str::to_owned);
            }
            assert_eq!(before, expected[..last], "{sort} by {limit}, back");
        }
    }
    let (status, problem) = send(Method::GET, "/articles?limit=0&x=1", key).await;
    assert_eq!(
        (status, problem["detail"].as_array().expect("faults").len()),
        (StatusCode::UNPROCESSABLE_ENTITY, 2)
    );
    for (path, key, expected) in [
        ("/articles/1/publish", key, StatusCode::ACCEPTED),
        ("/articles/9/publish", key, StatusCode::NOT_FOUND),
        ("/articles/1/publish", None, StatusCode::UNAUTHORIZED),
    ] {
        assert_eq!(send(Method::POST, path, key).await.0, expected, "{path}");
    }
    let jobs = job::Entity::find().all(&app.db).await.expect("a query");
    assert_eq!(
        jobs.iter().map(|job| job.kind.as_str()).collect::<Vec<_>>(),
        ["publish_article"]
    );
}
