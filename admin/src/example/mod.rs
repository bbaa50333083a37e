//! `docs/adding-a-model.md`, done: the files beside this one are the document's own code, compiled and served. A
//! document that says anything else fails here.

mod article;
mod articles;
mod product;
mod related;
mod support;

use std::collections::BTreeMap;

use axum::{
    body::Body,
    http::{Method, Request, StatusCode, header},
    response::Response,
};
use http_body_util::BodyExt;
use sea_orm::{ActiveModelTrait, ActiveValue::Set, ConnectionTrait, EntityTrait};
use tower::ServiceExt;
use usher_shared::foundation::{
    entity::session::{self, SessionKind},
    time::{new_id, now},
    token::{Token, TokenKind},
};
use usher_testkit::{Statements, TestDb, create_tables, on_both, superuser};
use uuid::Uuid;

use crate::{AppState, Extension, router};
use article::{ArticleState, Entity};
use usher_admin_engine::{csrf, missing_indexes};

const DOCUMENT: &str = include_str!("../../../docs/adding-a-model.md");
const SQL: &str = include_str!("articles.sql");
const ENTITY: &str = include_str!("article.rs");
const DECLARATION: &str = include_str!("articles.rs");

/// The admin with articles, and a superuser in it.
struct Site {
    state: AppState,
    user_id: i64,
    session_id: Uuid,
    cookie: String,
    statements: Statements,
}

impl Site {
    async fn open(db: &TestDb) -> Self {
        let extension = Extension::new("articles").model::<articles::Articles>();
        Self::with(db, SQL, &extension).await
    }

    /// The admin with another extension and its tables.
    async fn with(db: &TestDb, sql: &str, extension: &Extension) -> Self {
        let mut app = db.app(&[("STAFF_MFA", "optional")]).await;
        let statements = Statements::of(&mut app.db);
        create_tables(&app.db, sql).await;
        let user_id = superuser(&app.db, "Ines Oduya", "ines@example.org", "none").await.id;
        let (at, token, session_id) = (now(), Token::generate(TokenKind::AdminSession), new_id());
        let session = session::ActiveModel {
            id: Set(session_id),
            user_id: Set(user_id),
            kind: Set(SessionKind::Admin),
            token_hash: Set(token.hash()),
            reauthenticated_at: Set(Some(at)),
            created_at: Set(at),
            last_seen_at: Set(at),
            expires_at: Set(at + chrono::TimeDelta::hours(1)),
            ..Default::default()
        };
        session::Entity::insert(session)
            .exec_without_returning(&app.db)
            .await
            .expect("a session");
        let state = AppState::with_extension(&app, extension);
        Self {
            state,
            user_id,
            session_id,
            cookie: format!("usher_admin={}", token.as_str()),
            statements,
        }
    }

    async fn write(&self, title: &str) -> i64 {
        let at = now();
        let row = article::ActiveModel {
            title: Set(title.to_owned()),
            author_id: Set(self.user_id),
            state: Set(ArticleState::Draft),
            version: Set(1),
            created_at: Set(at),
            updated_at: Set(at),
            ..Default::default()
        };
        row.insert(&self.state.db).await.expect("an article").id
    }

    async fn get(&self, path: &str) -> (StatusCode, String) {
        self.send(Method::GET, path, Body::empty()).await
    }

    async fn post(&self, path: &str, fields: &[(&str, &str)]) -> (StatusCode, String) {
        let session = csrf::Binding::Session {
            id: self.session_id,
            user_id: self.user_id,
        };
        let token = csrf::Tokens::new(&self.state.config.secret_key, &session).to_string();
        let body = url::form_urlencoded::Serializer::new(String::new())
            .append_pair(csrf::FIELD, &token)
            .extend_pairs(fields)
            .finish();
        self.send(Method::POST, path, Body::from(body)).await
    }

    async fn send(&self, method: Method, path: &str, body: Body) -> (StatusCode, String) {
        let answer = self.answer(method, path, body).await;
        let status = answer.status();
        let bytes = answer.into_body().collect().await.expect("a body").to_bytes();
        (status, String::from_utf8_lossy(&bytes).into_owned())
    }

    async fn answer(&self, method: Method, path: &str, body: Body) -> Response {
        let request = Request::builder().method(method).uri(path);
        let request = request
            .header(header::COOKIE, &self.cookie)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        let answer = router(self.state.clone())
            .oneshot(request.body(body).expect("a request"))
            .await;
        answer.expect("an answer")
    }
}

/// The document's blocks of code, by language.
fn blocks() -> BTreeMap<&'static str, Vec<&'static str>> {
    let mut blocks = BTreeMap::<_, Vec<_>>::new();
    for block in DOCUMENT.split("\n```").collect::<Vec<_>>().chunks(2) {
        if let [_, code] = block {
            let (language, code) = code.split_once('\n').expect("a language");
            blocks.entry(language).or_default().push(code);
        }
    }
    blocks
}

/// Lines that somebody has to write: neither empty nor an import nor a comment.
fn written(code: &str) -> usize {
    let is_written =
        |line: &&str| !line.is_empty() && !line.starts_with("use ") && !line.trim_start().starts_with("//");
    code.lines().filter(is_written).count()
}

#[test]
fn the_document_holds_the_code_that_is_compiled_here() {
    let blocks = blocks();
    let declaration = DECLARATION.replace(
        "use super::article::",
        "use usher_shared::foundation::entity::article::",
    );
    assert_eq!(blocks["sql"], [SQL.trim_end()]);
    assert_eq!(blocks["rust"][..2], [ENTITY.trim_end(), declaration.trim_end()]);
    for (what, code) in [("SQL", SQL), ("entity", ENTITY), ("declaration", DECLARATION)] {
        let stated = format!("{} of {what}", written(code));
        assert!(DOCUMENT.contains(&stated), "the document must say: {stated}");
    }
}

#[on_both]
async fn a_declared_model_has_every_page(db: TestDb) {
    let site = Site::open(&db).await;
    let id = site.write("On <machines>").await;
    let here = format!("/admin/articles/{id}");
    for (path, holds) in [
        ("/admin/articles", "On &#60;machines&#62;"),
        ("/admin/articles?state=draft&_facets=yes", "On &#60;machines&#62;"),
        ("/admin/articles?state=published", "No articles match"),
        ("/admin/articles?q=id:1", "On &#60;machines&#62;"),
        ("/admin/articles/export.csv", "On <machines>"),
        ("/admin/articles/autocomplete?q=id:1", "On <machines>"),
        (here.as_str(), "value=\"On &#60;machines&#62;\""),
        (format!("{here}/history").as_str(), "History"),
        (format!("{here}/delete").as_str(), "Delete: On"),
        ("/admin/roles/new", "value=\"articles.change\""),
    ] {
        let (status, page) = site.get(path).await;
        assert!(
            status == StatusCode::OK && page.contains(holds),
            "{path}: {status} {page}"
        );
    }
    let author = site.user_id.to_string();
    let fields = [
        ("title", "On engines"),
        ("author_id", author.as_str()),
        ("state", "published"),
        ("published_at", ""),
    ];
    let (status, page) = site.post(&here, &[&fields[..], &[("version", "1")]].concat()).await;
    assert_eq!(status, StatusCode::SEE_OTHER, "{page}");
    let saved = Entity::find_by_id(id).one(&site.state.db).await.unwrap().unwrap();
    assert_eq!(
        (saved.title.as_str(), saved.state, saved.version),
        ("On engines", ArticleState::Published, 2)
    );
    let (status, page) = site.post(&here, &[&fields[..], &[("version", "1")]].concat()).await;
    assert!(
        status == StatusCode::CONFLICT && page.contains("Someone else changed this"),
        "{status}"
    );
    let wrong = [
        ("title", ""),
        ("author_id", "999"),
        ("state", "burnt"),
        ("version", "2"),
    ];
    assert_eq!(site.post(&here, &wrong).await.0, StatusCode::UNPROCESSABLE_ENTITY);
    let delete = [("action", "delete"), ("id", &id.to_string()), ("_confirmed", "yes")];
    assert_eq!(
        site.post("/admin/articles/actions", &delete).await.0,
        StatusCode::SEE_OTHER
    );
    assert_eq!(site.get(&here).await.0, StatusCode::SEE_OTHER, "its history stays");
}

#[on_both]
async fn rows_without_a_value_have_their_place_in_a_list(db: TestDb) {
    let site = Site::open(&db).await;
    let at = now();
    for number in 0..120 {
        let id = site.write("On nothing").await;
        let row = article::ActiveModel {
            id: Set(id),
            published_at: Set((number % 2 == 0).then(|| at - chrono::TimeDelta::days(i64::from(number) % 3))),
            ..Default::default()
        };
        row.update(&site.state.db).await.unwrap();
    }
    let ids = |page: &str| -> Vec<i64> {
        let rows = page.split("name=\"id\" value=\"").skip(1);
        rows.filter_map(|row| row.split('"').next()?.parse().ok()).collect()
    };
    let link = |page: &str, word: &str| {
        let at = page
            .split("href=\"")
            .find(|link| link.split('"').next().is_some_and(|href| href.contains(word)))?;
        Some(at.split('"').next()?.replace("&#38;", "&").replace("&amp;", "&"))
    };
    for order in ["published_at", "-published_at"] {
        let (mut met, mut at) = (vec![], format!("/admin/articles?o={order}"));
        let mut last = loop {
            let (status, page) = site.get(&at).await;
            assert_eq!(status, StatusCode::OK);
            met.push(ids(&page));
            let next = link(&page, "after=");
            let Some(next) = next else { break page };
            at = if next.starts_with('?') {
                format!("/admin/articles{next}")
            } else {
                next
            };
        };
        let all: Vec<i64> = met.concat();
        let mut once = all.clone();
        once.sort_unstable();
        once.dedup();
        assert_eq!((all.len(), once.len()), (120, 120), "{order}");
        let missing: Vec<bool> = all.iter().map(|id| id % 2 == 0).collect();
        assert!(missing.is_sorted(), "{order}: those without a value come last");
        for expected in met.iter().rev().skip(1) {
            let before = link(&last, "before=").expect("a page before");
            let before = if before.starts_with('?') {
                format!("/admin/articles{before}")
            } else {
                before
            };
            last = site.get(&before).await.1;
            assert_eq!(&ids(&last), expected, "{order}, back");
        }
    }
}

#[on_both]
async fn an_index_that_is_missing_is_found(db: TestDb) {
    let site = Site::open(&db).await;
    let missing = async || missing_indexes(&site.state.db, &site.state.site).await.unwrap();
    assert_eq!(missing().await, [], "every declaration of the house has its index");
    site.state
        .db
        .execute_unprepared("DROP INDEX articles_author_idx; DROP INDEX users_name_idx")
        .await
        .unwrap();
    let found: Vec<_> = missing().await.iter().map(ToString::to_string).collect();
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(
        found[0].starts_with("articles.author_id") && found[1].starts_with("users.name is declared for sorting"),
        "{found:?}"
    );
}
