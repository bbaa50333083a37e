//! Handlers that panic, hang or dawdle, inside the real layers.

use std::time::Duration;

use axum::{
    Router,
    body::Body,
    extract::{FromRef, Request, State},
    http::{HeaderValue, Method, StatusCode},
    middleware::from_fn_with_state,
    routing::{get, post},
};
use futures::{SinkExt, StreamExt};
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, EntityTrait, PaginatorTrait};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{Message, client::IntoClientRequest},
};
use tower::ServiceExt;
use usher_shared::{
    accounts::api_keys::{self, Scope},
    foundation::{db, entity::user},
};
use usher_testkit::{TestDb, on_both};

use crate::{
    router::router,
    state::AppState,
    toolkit::{error::ApiError, guard::guard, idempotency, observe::observe, state::Toolkit},
};

/// No handler of ours panics, hangs or dawdles after its commit, so these do.
fn odd(state: &AppState) -> Router {
    let toolkit = Toolkit::from_ref(state);
    Router::new()
        .route("/panic", get(async || -> () { panic!("a secret") }))
        .route("/hang", get(std::future::pending::<()>))
        .route("/dawdle", post(dawdle))
        .route("/hesitate", post(hesitate))
        .route_layer(from_fn_with_state(toolkit.clone(), idempotency::once))
        .layer(from_fn_with_state(toolkit.clone(), guard))
        .layer(from_fn_with_state(toolkit, observe))
        .with_state(state.clone())
}

const NOTE: &str = "INSERT INTO deeds (word) VALUES ('done')";

async fn dawdle(State(state): State<AppState>) -> Result<StatusCode, ApiError> {
    let tx = db::begin(&state.db).await?;
    tx.execute_unprepared(NOTE).await?;
    tx.commit().await?;
    tokio::time::sleep(state.time_limit * 2).await;
    Ok(StatusCode::CREATED)
}

async fn hesitate(State(state): State<AppState>) -> Result<StatusCode, ApiError> {
    let tx = db::begin(&state.db).await?;
    tx.execute_unprepared(NOTE).await?;
    tokio::time::sleep(state.time_limit * 2).await;
    tx.commit().await?;
    Ok(StatusCode::CREATED)
}

async fn deeds(db: &DatabaseConnection) -> i64 {
    let statement = sea_orm::Statement::from_string(db.get_database_backend(), "SELECT count(*) AS n FROM deeds");
    let row = db.query_one_raw(statement).await.expect("a count");
    row.expect("a row").try_get("", "n").expect("a number")
}

async fn state(db: &TestDb, limit: Duration) -> AppState {
    let app = db.app(&[("GRAPHQL", "on")]).await;
    AppState::with(Toolkit::with_time_limit(&app, limit), &app)
}

async fn send(router: &Router, request: axum::http::request::Builder, body: String) -> (StatusCode, Value, bool) {
    let request = request.body(Body::from(body)).expect("a request");
    let Ok(response) = router.clone().oneshot(request).await;
    let (parts, body) = response.into_parts();
    let body = axum::body::to_bytes(body, usize::MAX).await.expect("a body");
    assert!(!String::from_utf8_lossy(&body).contains("secret"));
    let replayed = parts.headers.contains_key("idempotency-replayed");
    (
        parts.status,
        serde_json::from_slice(&body).unwrap_or_default(),
        replayed,
    )
}

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// A socket for GraphQL on this API.
async fn socket(router: &Router, token: &str) -> Socket {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let router = router.clone();
    tokio::spawn(async move { axum::serve(listener, router).await });
    let request = format!("ws://{address}/graphql").into_client_request();
    let mut request = request.expect("a request");
    let protocol = HeaderValue::from_static("graphql-transport-ws");
    request.headers_mut().insert("sec-websocket-protocol", protocol);
    let (mut socket, _) = connect_async(request).await.expect("a socket");
    let greeting = json!({"type": "connection_init", "payload": {"authorization": format!("Bearer {token}")}});
    assert_eq!(say(&mut socket, greeting).await["type"], "connection_ack");
    socket
}

/// Says something, and hears what comes.
async fn say(socket: &mut Socket, message: Value) -> Value {
    let message = Message::text(message.to_string());
    socket.send(message).await.expect("an open socket");
    let heard = tokio::time::timeout(Duration::from_secs(10), socket.next()).await;
    let heard = heard.expect("in time").expect("a message").expect("an open socket");
    serde_json::from_str(heard.to_text().expect("a text")).expect("JSON")
}

#[on_both]
async fn a_panic_is_a_500_that_tells_nothing_and_a_handler_that_hangs_is_stopped(db: TestDb) {
    let state = state(&db, Duration::from_millis(50)).await;
    for (path, status, code) in [
        ("/panic", StatusCode::INTERNAL_SERVER_ERROR, "internal_error"),
        ("/hang", StatusCode::SERVICE_UNAVAILABLE, "timed_out"),
    ] {
        let answer = send(&odd(&state), Request::builder().uri(path), String::new()).await;
        assert_eq!((answer.0, &answer.1["code"]), (status, &json!(code)));
    }
}

#[on_both]
async fn who_commits_before_the_time_limit_is_answered_and_who_does_not_has_done_nothing(db: TestDb) {
    let state = state(&db, Duration::from_millis(200)).await;
    state
        .db
        .execute_unprepared("CREATE TABLE deeds (word text)")
        .await
        .expect("a table");
    let router = odd(&state);
    let ask = async |path: &str, key: Option<&str>| {
        let request = Request::builder().method(Method::POST).uri(path);
        let request = key
            .into_iter()
            .fold(request, |request, key| request.header("idempotency-key", key));
        let (status, _, replayed) = send(&router, request, String::new()).await;
        (status.as_u16(), replayed)
    };
    assert_eq!(ask("/dawdle", None).await, (201, false));
    assert_eq!(deeds(&state.db).await, 1);
    // Under a key the first answer is kept, so that the repetition does nothing.
    assert_eq!(ask("/dawdle", Some("once")).await, (201, false));
    assert_eq!(ask("/dawdle", Some("once")).await, (201, true));
    assert_eq!(deeds(&state.db).await, 2);
    assert_eq!(ask("/hesitate", None).await, (503, false));
    assert_eq!(ask("/hesitate", Some("other")).await, (503, false));
    // Written after whatever is still under way.
    assert_eq!(ask("/dawdle", None).await, (201, false));
    assert_eq!(deeds(&state.db).await, 3);
}

#[on_both]
async fn a_sign_up_that_was_told_it_took_too_long_makes_no_user(db: TestDb) {
    let state = state(&db, Duration::from_secs(1)).await;
    let (_, token) = api_keys::create(&state.db, "t", &Scope::BUILT_IN, None, None)
        .await
        .expect("a key");
    let router = router(state.clone());
    let mut socket = socket(&router, token.as_str()).await;
    let sign_up = async |email: &str| {
        let request = Request::builder().method(Method::POST).uri("/users");
        let request = request.header("content-type", "application/json");
        let request = request.header("authorization", format!("Bearer {}", token.as_str()));
        send(&router, request, json!({"name": "Ada", "email": email}).to_string())
            .await
            .0
            .as_u16()
    };
    let other = db.connect().await;
    let writer = db::begin(&other).await.expect("the turn to write");
    if other.get_database_backend() == DbBackend::Postgres {
        writer
            .execute_unprepared("LOCK TABLE users IN EXCLUSIVE MODE")
            .await
            .expect("a lock");
    }
    assert_eq!(sign_up("ada@example.com").await, 503);
    let query = r#"mutation { createUser(input: {name: "Eve", email: "eve@example.com"}) { id } }"#;
    let told = say(
        &mut socket,
        json!({"type": "subscribe", "id": "a", "payload": {"query": query}}),
    )
    .await;
    assert_eq!(
        (&told["type"], &told["payload"][0]["extensions"]["code"]),
        (&json!("error"), &json!("timed_out")),
        "{told}"
    );
    writer.rollback().await.expect("the lock is given back");
    assert_eq!(sign_up("lin@example.com").await, 201);
    assert_eq!(user::Entity::find().count(&state.db).await.expect("a count"), 1);
}
