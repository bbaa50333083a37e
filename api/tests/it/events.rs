//! `GET /events`: pages and streams, who sees what, and when a stream ends.

use std::time::Duration;

use axum::{
    body::{Body, BodyDataStream},
    extract::ConnectInfo,
    http::{HeaderMap, Request, StatusCode},
};
use futures::StreamExt;
use sea_orm::{ActiveModelTrait, ActiveValue::Set, EntityTrait, IntoActiveModel};
use serde_json::{Value, json};
use tower::ServiceExt;
use usher_shared::{
    accounts::api_keys::Scope,
    events::remove_before,
    foundation::{
        entity::{api_key, event},
        time::now,
    },
};
use usher_testkit::{TestDb, eventually, on_both};

use crate::app::{Client, TestApp};

const PATIENCE: Duration = Duration::from_secs(10);

/// A stream of server-sent events, as a browser reads it.
struct Stream {
    status: StatusCode,
    headers: HeaderMap,
    body: BodyDataStream,
    text: String,
}

/// One message: its id, its type, its data.
#[derive(Debug)]
struct Message {
    id: Option<i64>,
    event: Option<String>,
    data: Option<Value>,
}

impl Stream {
    async fn open(app: &TestApp, client: &Client, path: &str) -> Self {
        let mut request = Request::builder().uri(path).header("accept", "text/event-stream");
        for (name, value) in client.headers() {
            request = request.header(name, value);
        }
        let peer: std::net::SocketAddr = "203.0.113.7:50000".parse().unwrap();
        let request = request.extension(ConnectInfo(peer)).body(Body::empty()).unwrap();
        let (parts, body) = app.router.clone().oneshot(request).await.unwrap().into_parts();
        Self {
            status: parts.status,
            headers: parts.headers,
            body: body.into_data_stream(),
            text: String::new(),
        }
    }

    /// The next message; none at the end.
    async fn next(&mut self) -> Option<Message> {
        loop {
            if let Some((message, rest)) = self.text.split_once("\n\n") {
                let message = Message::read(message);
                self.text = rest.to_owned();
                return Some(message);
            }
            let part = tokio::time::timeout(PATIENCE, self.body.next())
                .await
                .expect("it comes in time")?;
            self.text.push_str(std::str::from_utf8(&part.unwrap()).unwrap());
        }
    }

    async fn next_event(&mut self) -> Message {
        loop {
            let message = self.next().await.expect("an event");
            if message.event.is_some() {
                return message;
            }
        }
    }
}

impl Message {
    fn read(text: &str) -> Self {
        let field = |name: &str| {
            text.lines()
                .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
        };
        Self {
            id: field("id").map(|id| id.parse().unwrap()),
            event: field("event").map(str::to_owned),
            data: field("data").map(|data| serde_json::from_str(data).unwrap()),
        }
    }
}

/// Events of `count` users, once they are shown: other tests' transactions may hold the stream back.
async fn page_of(client: &Client, path: &str, count: usize) -> Value {
    eventually(PATIENCE, "the events are shown", async || {
        let page = client.get(path).await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.text());
        let page = page.json();
        (page["data"].as_array().unwrap().len() == count).then_some(page)
    })
    .await
}

#[on_both]
async fn pages_have_what_happened_as_the_api_shows_it(db: TestDb) {
    let app = TestApp::start(db).await;
    let client = app.all_scopes().await;
    let id = client.sign_up("ada@example.com").await;
    let changed = client.patch(&format!("/users/{id}"), &json!({"name": "Augusta"})).await;
    let page = page_of(&client, "/events", 2).await;
    let [created, updated] = page["data"].as_array().unwrap().as_slice() else {
        panic!("{page}")
    };
    assert_eq!(
        (&created["type"], &updated["type"]),
        (&json!("user.created"), &json!("user.updated"))
    );
    assert_eq!(updated["data"], changed.json(), "the same face as the operation's");
    assert_eq!(
        updated["object"],
        json!({"type": "user", "id": id.to_string(), "version": 2})
    );
    assert_eq!(updated["actor"]["type"], "api_key");
    assert_eq!(updated["request_id"], changed.header("x-request-id"));
    let first = created["position"].as_i64().unwrap();
    assert_eq!(
        (page["next_after"].as_i64(), page["has_more"].as_bool()),
        (updated["position"].as_i64(), Some(false))
    );
    let short = client.get("/events?limit=1").await.json();
    assert_eq!(
        (&short["data"][0], &short["next_after"], &short["has_more"]),
        (created, &json!(first), &json!(true))
    );
    let rest = client.get(&format!("/events?after={first}")).await.json();
    assert_eq!(rest["data"], json!([updated]));
    let some = client.get("/events?types=user.updated,user.deleted").await.json();
    assert_eq!(some["data"], json!([updated]));
    assert_eq!(client.get("/events?types=user.*").await.json()["data"], page["data"]);
}

#[on_both]
async fn nobody_sees_what_their_credential_does_not_show(db: TestDb) {
    let app = TestApp::start(db).await;
    app.anonymous().get("/events").await.is(401, "authentication_required");
    for scope in Scope::BUILT_IN {
        let answer = app.key(&[scope]).await.get("/events").await;
        if scope == Scope::USERS_READ {
            assert_eq!(answer.status, StatusCode::OK);
        } else {
            answer.is(403, "insufficient_scope");
        }
    }
    let client = app.key(&[Scope::USERS_READ]).await;
    for (query, words) in [
        ("after=-1", "a whole number from 0 up"),
        ("after=x", "a whole number from 0 up"),
        ("after=99999999999999999999", "a whole number from 0 up"),
        ("types=", "There is no type ;"),
        ("types=user.*,nothing", "There is no type nothing; use user.created,"),
        ("limit=0", "1 to 500"),
        ("limit=501", "1 to 500"),
        ("since=yesterday", "Unknown parameter"),
    ] {
        let answer = client.get(&format!("/events?{query}")).await;
        answer.is(422, "invalid_request");
        assert!(answer.text().contains(words), "{query}: {}", answer.text());
    }
}

#[on_both]
async fn a_position_from_elsewhere_is_not_taken_for_the_newest(db: TestDb) {
    let app = TestApp::start(db).await;
    let client = app.all_scopes().await;
    client.get("/events?after=4711").await.is(409, "position_unknown");
    client.sign_up("ada@example.com").await;
    let page = page_of(&client, "/events", 1).await;
    let newest = page["next_after"].as_i64().unwrap();
    assert_eq!(
        client.get(&format!("/events?after={newest}")).await.status,
        StatusCode::OK
    );
    client
        .get(&format!("/events?after={}", newest + 1))
        .await
        .is(409, "position_unknown");
}

#[on_both]
async fn a_stream_sends_what_happens_and_goes_on_where_it_was_left(db: TestDb) {
    let app = TestApp::start(db).await;
    let client = app.all_scopes().await;
    client.sign_up("before@example.com").await;
    page_of(&client, "/events", 1).await;
    let mut stream = Stream::open(&app, &client, "/events").await;
    assert_eq!(stream.status, StatusCode::OK);
    assert_eq!(stream.headers["content-type"], "text/event-stream");
    assert!(!stream.headers.contains_key("content-encoding"));
    let begin = stream.next().await.unwrap();
    assert!(begin.id.is_some() && begin.event.is_none() && begin.data.is_none());
    let id = client.sign_up("ada@example.com").await;
    let created = stream.next_event().await;
    assert_eq!(created.event.as_deref(), Some("user.created"));
    let data = created.data.unwrap();
    assert_eq!(
        (data["data"]["id"].as_i64(), data["position"].as_i64()),
        (Some(id), created.id)
    );
    drop(stream);

    client.delete(&format!("/users/{id}")).await;
    client.sign_up("bob@example.com").await;
    let last = client.clone().with("last-event-id", &created.id.unwrap().to_string());
    // The header counts: a browser repeats the address it began with.
    let mut stream = Stream::open(&app, &last, "/events?after=0&types=user.created,user.deleted").await;
    let (deleted, bob) = (stream.next_event().await, stream.next_event().await);
    assert_eq!(deleted.event.as_deref(), Some("user.deleted"));
    assert_eq!(bob.data.unwrap()["data"]["email"], "bob@example.com");
    client
        .clone()
        .with("last-event-id", "x")
        .with("accept", "text/event-stream")
        .get("/events")
        .await
        .is(422, "invalid_request");
}

#[on_both]
async fn a_stream_ends_soon_after_its_key(db: TestDb) {
    let app = TestApp::start(db).await;
    let (client, row) = app.key_row(&[Scope::USERS_READ]).await;
    let (other, _) = app.key_row(&[Scope::USERS_READ]).await;
    let mut stream = Stream::open(&app, &client, "/events").await;
    let mut lasting = Stream::open(&app, &other, "/events").await;
    stream.next().await.unwrap();
    lasting.next().await.unwrap();
    let mut row = row.into_active_model();
    row.revoked_at = Set(Some(now()));
    row.version = Set(2);
    row.update(&app.context.db).await.unwrap();
    let end = tokio::time::timeout(Duration::from_secs(5), stream.next_event())
        .await
        .expect("within 5 s");
    assert_eq!(
        (end.event.as_deref(), end.data),
        (Some("end"), Some(json!({"reason": "credential_ended"})))
    );
    assert!(stream.next().await.is_none(), "it is over");
    app.all_scopes().await.sign_up("ada@example.com").await;
    assert_eq!(
        lasting.next_event().await.event.as_deref(),
        Some("user.created"),
        "the other goes on"
    );
    let live = api_key::Entity::find().all(&app.context.db).await.unwrap();
    assert_eq!(live.iter().filter(|key| key.revoked_at.is_none()).count(), 2);
}

#[on_both]
async fn who_was_away_too_long_is_told(db: TestDb) {
    let app = TestApp::start(db).await;
    let client = app.all_scopes().await;
    for email in ["a@example.com", "b@example.com", "c@example.com"] {
        client.sign_up(email).await;
    }
    let page = page_of(&client, "/events", 3).await;
    let [first, second] = [0, 1].map(|number: usize| page["data"][number]["position"].as_i64().unwrap());
    for position in [first, second] {
        let row = event::Entity::find_by_id(position)
            .one(&app.context.db)
            .await
            .unwrap()
            .unwrap();
        let mut row = row.into_active_model();
        row.at = Set(now() - chrono::TimeDelta::days(40));
        row.update(&app.context.db).await.unwrap();
    }
    let limit = now() - app.context.config.event_retention;
    assert_eq!(remove_before(&app.context.db, limit).await.unwrap(), 2);
    client
        .get(&format!("/events?after={first}"))
        .await
        .is(410, "events_removed");
    assert_eq!(
        client.get(&format!("/events?after={second}")).await.status,
        StatusCode::OK
    );
    assert_eq!(
        page_of(&client, "/events", 1).await["data"][0]["data"]["email"],
        "c@example.com"
    );
    assert_eq!(page_of(&client, "/events?after=0", 1).await["has_more"], false);
}
