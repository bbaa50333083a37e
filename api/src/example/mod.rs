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
    Router,
    body::Body,
    extract::ConnectInfo,
    http::{Method, Request, StatusCode, header},
};
use chrono::{DateTime, TimeDelta, Utc};
use http_body_util::BodyExt;
use sea_orm::{ActiveModelTrait, ActiveValue::Set, EntityTrait};
use serde_json::Value;
use tower::ServiceExt;
use usher_shared::{
    AppContext,
    accounts::api_keys::{self, Scope},
    foundation::{entity::job, time::now},
};
use usher_testkit::{TestDb, create_tables, on_both, superuser};

use crate::{ApiExtension, AppState, router_with};
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

/// The API with the document's resource, and the key of a client.
struct Site {
    app: AppContext,
    service: Router,
    author_id: i64,
    key: String,
}

impl Site {
    async fn open(db: &TestDb) -> Self {
        let app = db.app(&[]).await;
        create_tables(&app.db, SQL).await;
        let author = superuser(&app.db, "Ines Oduya", "ines@example.org", "none").await;
        let scopes = [Scope::USERS_READ, Scope::USERS_WRITE];
        let (_, key) = api_keys::create(&app.db, "test", &scopes, None, None)
            .await
            .expect("a key");
        Self {
            service: router_with(
                AppState::new(&app),
                &ApiExtension::new("articles").routes(articles::router),
            ),
            author_id: author.id,
            key: key.as_str().to_owned(),
            app,
        }
    }

    async fn write(&self, title: &str, published_at: Option<DateTime<Utc>>) {
        let at = now();
        let row = article::ActiveModel {
            title: Set(title.to_owned()),
            author_id: Set(self.author_id),
            state: Set(ArticleState::Draft),
            published_at: Set(published_at),
            version: Set(1),
            created_at: Set(at),
            updated_at: Set(at),
            ..Default::default()
        };
        row.insert(&self.app.db).await.expect("an article");
    }

    async fn send(&self, method: Method, path: &str, has_key: bool) -> (StatusCode, Value) {
        let mut request = Request::builder().method(method).uri(path);
        if has_key {
            request = request.header(header::AUTHORIZATION, format!("Bearer {}", self.key));
        }
        self.call(request.body(Body::empty()).expect("a request")).await
    }

    async fn send_body(&self, method: Method, path: &str, body: &str) -> (StatusCode, Value) {
        let request = Request::builder().method(method).uri(path);
        let request = request
            .header(header::AUTHORIZATION, format!("Bearer {}", self.key))
            .header(header::CONTENT_TYPE, "application/json");
        self.call(request.body(Body::from(body.to_owned())).expect("a request"))
            .await
    }

    async fn call(&self, mut request: Request<Body>) -> (StatusCode, Value) {
        let peer = SocketAddr::from(([203, 0, 113, 7], 50_000));
        request.extensions_mut().insert(ConnectInfo(peer));
        let answer = self.service.clone().oneshot(request).await.expect("an answer");
        let status = answer.status();
        let bytes = answer.into_body().collect().await.expect("a body").to_bytes();
        (status, serde_json::from_slice(&bytes).unwrap_or_default())
    }

    async fn page(&self, query: &str) -> Value {
        let (status, page) = self.send(Method::GET, &format!("/articles?{query}"), true).await;
        assert_eq!(status, StatusCode::OK, "{page}");
        page
    }
}

fn ids(page: &Value) -> Vec<i64> {
    let rows = page["data"].as_array().expect("rows").iter();
    rows.map(|row| row["id"].as_i64().expect("an id")).collect()
}

#[on_both]
async fn articles_are_listed_page_by_page(db: TestDb) {
    let site = Site::open(&db).await;
    for title in ["On engines", "On machines", "On tables"] {
        site.write(title, None).await;
    }
    let page = site.page("limit=2").await;
    let (title, more) = (&page["data"][0]["title"], &page["has_more"]);
    assert_eq!((title, more), (&"On tables".into(), &true.into()), "{page}");
    let cursor = page["next_cursor"].as_str().expect("a cursor");
    let page = site.page(&format!("limit=2&cursor={cursor}")).await;
    let (title, more) = (&page["data"][0]["title"], &page["has_more"]);
    assert_eq!((title, more), (&"On engines".into(), &false.into()), "{page}");
    let (status, problem) = site.send(Method::GET, "/articles?limit=0&x=1", true).await;
    let faults = problem["detail"].as_array().expect("faults").len();
    assert_eq!((status, faults), (StatusCode::UNPROCESSABLE_ENTITY, 2));
}

/// Two have the same time, and five have none: each is met once, whichever way and however small the pages.
#[on_both]
async fn a_list_by_a_column_that_may_be_empty_meets_each_row_once(db: TestDb) {
    let site = Site::open(&db).await;
    let at = now();
    let times = [
        None,
        None,
        None,
        None,
        Some(at),
        Some(at),
        Some(at - TimeDelta::days(1)),
        None,
    ];
    for (number, published_at) in times.into_iter().enumerate() {
        site.write(&format!("article {number}"), published_at).await;
    }
    let upwards = [7, 5, 6, 1, 2, 3, 4, 8];
    let mut downwards = upwards;
    downwards.reverse();
    for (sort, expected) in [("published_at", upwards), ("-published_at", downwards)] {
        for limit in [1, 2, 3, 7, 8] {
            let page_of = async |cursor: &str| site.page(&format!("sort={sort}&limit={limit}{cursor}")).await;
            let (mut met, mut at, mut back) = (vec![], String::new(), None);
            loop {
                let page = page_of(&at).await;
                met.extend(ids(&page));
                back = page["prev_cursor"].as_str().map(str::to_owned).or(back);
                let Some(next) = page["next_cursor"].as_str() else {
                    break;
                };
                at = format!("&cursor={next}");
            }
            assert_eq!(met, expected, "{sort} by {limit}");
            let last = (expected.len() - 1) / limit * limit;
            let mut before = vec![];
            while let Some(cursor) = back {
                let page = page_of(&format!("&cursor={cursor}")).await;
                before.splice(0..0, ids(&page));
                back = page["prev_cursor"].as_str().map(str::to_owned);
            }
            assert_eq!(before, expected[..last], "{sort} by {limit}, back");
        }
    }
}

#[on_both]
async fn an_article_is_published_by_a_job(db: TestDb) {
    let site = Site::open(&db).await;
    site.write("On engines", None).await;
    for (path, has_key, expected) in [
        ("/articles/1/publish", true, StatusCode::ACCEPTED),
        ("/articles/9/publish", true, StatusCode::NOT_FOUND),
        ("/articles/1/publish", false, StatusCode::UNAUTHORIZED),
    ] {
        assert_eq!(site.send(Method::POST, path, has_key).await.0, expected, "{path}");
    }
    let jobs = job::Entity::find().all(&site.app.db).await.expect("a query");
    let kinds: Vec<_> = jobs.iter().map(|job| job.kind.as_str()).collect();
    assert_eq!(kinds, ["publish_article"]);
}

#[on_both]
async fn an_article_is_created_looked_up_and_changed(db: TestDb) {
    let site = Site::open(&db).await;
    let body = format!(r#"{{"title": " On engines ", "author_id": {}}}"#, site.author_id);
    let (status, article) = site.send_body(Method::POST, "/articles", &body).await;
    assert_eq!((status, &article["title"]), (StatusCode::CREATED, &"On engines".into()));
    let path = format!("/articles/{}", article["id"]);
    assert_eq!(site.send(Method::GET, &path, true).await, (StatusCode::OK, article));
    let (status, article) = site.send_body(Method::PATCH, &path, r#"{"title": "On tables"}"#).await;
    assert_eq!((status, &article["title"]), (StatusCode::OK, &"On tables".into()));
    let (status, problem) = site.send_body(Method::PATCH, &path, r#"{"title": ""}"#).await;
    assert_eq!(
        (status, &problem["detail"][0]["loc"][1]),
        (StatusCode::UNPROCESSABLE_ENTITY, &"title".into())
    );
}
