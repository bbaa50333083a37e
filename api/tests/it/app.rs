//! The API under test and its clients: the client is the identity.

use std::net::SocketAddr;

use axum::{
    Router,
    body::Body,
    extract::ConnectInfo,
    http::{HeaderMap, Method, Request, StatusCode, header},
};
use chrono::DateTime;
use http_body_util::BodyExt;
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter};
use serde_json::{Value, json};
use tower::ServiceExt;
use usher_api::{AppState, router};
use usher_shared::{
    AppContext,
    accounts::api_keys::{self, Scope},
    foundation::entity::{api_key, job, user},
};
use usher_testkit::{Statements, TestDb, config};

/// Where clients come from unless they say otherwise.
const PEER: &str = "203.0.113.7:50000";

/// The API on a database of its own.
pub struct TestApp {
    pub context: AppContext,
    pub router: Router,
    statements: Statements,
    #[expect(dead_code, reason = "the database is dropped with it")]
    db: TestDb,
}

impl TestApp {
    /// With closed sign-up and rate limits on, as in production.
    pub async fn start(db: TestDb) -> Self {
        Self::with(db, &[]).await
    }

    /// With settings by their names.
    pub async fn with(db: TestDb, settings: &[(&str, &str)]) -> Self {
        let mut connection = db.connect().await;
        let statements = Statements::of(&mut connection);
        let context = AppContext::with(config(db.url(), settings), connection, true);
        Self {
            router: router(AppState::new(&context)),
            context,
            statements,
            db,
        }
    }

    /// The statements since the last call.
    pub fn take_statements(&self) -> Vec<String> {
        self.statements.take()
    }

    pub fn anonymous(&self) -> Client {
        Client::of(self.router.clone())
    }

    /// A client with a new key of these scopes.
    pub async fn key(&self, scopes: &[Scope]) -> Client {
        self.key_row(scopes).await.0
    }

    /// The same, with the key's row.
    pub async fn key_row(&self, scopes: &[Scope]) -> (Client, api_key::Model) {
        let (row, token) = api_keys::create(&self.context.db, "test", scopes, None, None)
            .await
            .expect("a key");
        (
            self.anonymous()
                .with("authorization", &format!("Bearer {}", token.as_str())),
            row,
        )
    }

    /// A client that may do everything.
    pub async fn all_scopes(&self) -> Client {
        self.key(&Scope::BUILT_IN).await
    }

    pub async fn count_users(&self) -> u64 {
        user::Entity::find().count(&self.context.db).await.expect("a count")
    }

    pub async fn jobs_of(&self, user_id: i64) -> Vec<job::Model> {
        let jobs = job::Entity::find().filter(job::Column::UserId.eq(user_id));
        jobs.all(&self.context.db).await.expect("jobs")
    }
}

/// Somebody who calls, with the headers that all their requests carry.
#[derive(Clone)]
pub struct Client {
    router: Router,
    headers: Vec<(String, String)>,
    peer: SocketAddr,
}

impl Client {
    /// Somebody without a credential.
    pub fn of(router: Router) -> Self {
        Self {
            router,
            headers: vec![],
            peer: PEER.parse().expect("an address"),
        }
    }

    /// The same client with one more header.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The headers that all its requests carry.
    pub fn headers(&self) -> &[(String, String)] {
        &self.headers
    }

    /// The same client at another address.
    pub fn from(mut self, peer: &str) -> Self {
        self.peer = SocketAddr::new(peer.parse().expect("an address"), 50_000);
        self
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.call(Method::GET, path, Body::empty()).await
    }

    pub async fn head(&self, path: &str) -> Answer {
        self.call(Method::HEAD, path, Body::empty()).await
    }

    /// Posts JSON.
    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.post_text(path, &body.to_string()).await
    }

    /// Posts a text as JSON, whatever it is.
    pub async fn post_text(&self, path: &str, text: &str) -> Answer {
        self.clone()
            .with("content-type", "application/json")
            .call(Method::POST, path, Body::from(text.to_owned()))
            .await
    }

    /// Sends a JSON merge patch.
    pub async fn patch(&self, path: &str, body: &Value) -> Answer {
        self.clone()
            .with("content-type", "application/merge-patch+json")
            .call(Method::PATCH, path, Body::from(body.to_string()))
            .await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.call(Method::DELETE, path, Body::empty()).await
    }

    pub async fn call(&self, method: Method, path: &str, body: Body) -> Answer {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .extension(ConnectInfo(self.peer));
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        self.send(request.body(body).expect("a request")).await
    }

    pub async fn send(&self, request: Request<Body>) -> Answer {
        let Ok(response) = self.router.clone().oneshot(request).await;
        let (parts, body) = response.into_parts();
        let body = body.collect().await.expect("a whole body").to_bytes().to_vec();
        Answer {
            status: parts.status,
            headers: parts.headers,
            body,
        }
    }

    /// Creates a user and returns its id.
    pub async fn sign_up(&self, email: &str) -> i64 {
        let answer = self
            .post("/users", &json!({"name": "Ada Lovelace", "email": email}))
            .await;
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text());
        answer.json()["id"].as_i64().expect("an id")
    }
}

/// Whatever is a time has six digits of a second, in every answer of every test.
fn all_times_are_of_one_width(value: &Value) {
    match value {
        // The document shows what may be sent as well.
        Value::Object(fields) if fields.contains_key("openapi") => {}
        Value::Object(fields) => fields.values().for_each(all_times_are_of_one_width),
        Value::Array(elements) => elements.iter().for_each(all_times_are_of_one_width),
        Value::String(text) if DateTime::parse_from_rfc3339(text).is_ok() => {
            assert_eq!(text.len(), "2026-11-22T12:00:00.123456Z".len(), "{text}");
        }
        _ => {}
    }
}

/// What came back.
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("text"))
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn json(&self) -> Value {
        let read = serde_json::from_slice(&self.body);
        let value: Value = read.unwrap_or_else(|error| panic!("{error}: {}", self.text()));
        all_times_are_of_one_width(&value);
        value
    }

    pub fn code(&self) -> String {
        self.json()["code"].as_str().unwrap_or_default().to_owned()
    }

    /// Asserts the status and the code of an error.
    #[track_caller]
    pub fn is(&self, status: u16, code: &str) -> &Self {
        assert_eq!((self.status.as_u16(), &*self.code()), (status, code), "{}", self.text());
        assert_eq!(self.header(header::CONTENT_TYPE.as_str()), "application/json");
        self
    }

    /// The faults of a 422 as `type` and `loc`.
    #[track_caller]
    pub fn faults(&self) -> Vec<(String, Value)> {
        self.is(422, "invalid_request");
        let detail = self.json()["detail"].as_array().cloned().expect("a list");
        for fault in &detail {
            assert!(fault["msg"].as_str().is_some_and(|msg| !msg.is_empty()), "{fault}");
            assert!(fault.get("input").is_none(), "the body is not sent back: {fault}");
        }
        let text = |fault: &Value| fault["type"].as_str().unwrap_or_default().to_owned();
        detail.iter().map(|fault| (text(fault), fault["loc"].clone())).collect()
    }
}
