//! Subscriptions, by `graphql-transport-ws` on a real socket.

use std::{net::SocketAddr, time::Duration};

use futures::{SinkExt, StreamExt};
use sea_orm::{ActiveModelTrait, ActiveValue::Set, IntoActiveModel};
use serde_json::{Value, json};
use tokio::{
    net::{TcpListener, TcpStream},
    time::{Instant, timeout},
};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{Error, Message, client::IntoClientRequest, http::HeaderValue},
};
use tokio_util::sync::CancellationToken;
use usher_shared::{accounts::api_keys::Scope, foundation::time::now};
use usher_testkit::{TestDb, on_both};

use crate::app::{Client, TestApp};

const PATIENCE: Duration = Duration::from_secs(10);

async fn app(db: TestDb) -> TestApp {
    TestApp::with(db, &[("GRAPHQL", "on")]).await
}

struct Server {
    address: SocketAddr,
    stop: CancellationToken,
}

impl Server {
    async fn start(app: &TestApp) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, stop) = (listener.local_addr().unwrap(), CancellationToken::new());
        let (context, stopping) = (app.context.clone(), stop.clone());
        tokio::spawn(async move { usher_api::serve(&context, listener, stopping).await });
        Self { address, stop }
    }

    async fn connect(&self, origin: Option<&str>) -> Result<Socket, Error> {
        let mut request = format!("ws://{}/graphql", self.address).into_client_request()?;
        let headers = request.headers_mut();
        headers.insert(
            "sec-websocket-protocol",
            HeaderValue::from_static("graphql-transport-ws"),
        );
        if let Some(origin) = origin {
            headers.insert("origin", origin.parse().unwrap());
        }
        Ok(Socket(connect_async(request).await?.0))
    }

    /// A socket of this client.
    async fn greeted(&self, client: &Client) -> Socket {
        let mut socket = self.connect(None).await.unwrap();
        socket.greet(client).await;
        assert_eq!(socket.hear().await, Ok(json!({"type": "connection_ack"})));
        socket
    }
}

struct Socket(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Socket {
    async fn say(&mut self, message: Value) {
        self.0.send(Message::text(message.to_string())).await.unwrap();
    }

    async fn greet(&mut self, client: &Client) {
        let headers = client.headers().iter();
        let headers: serde_json::Map<_, _> = headers.map(|(name, value)| (name.clone(), json!(value))).collect();
        self.say(json!({"type": "connection_init", "payload": headers})).await;
    }

    async fn subscribe(&mut self, id: &str, query: &str) {
        self.say(json!({"type": "subscribe", "id": id, "payload": {"query": query}}))
            .await;
    }

    /// The next message, or the code that the connection ends with.
    async fn hear(&mut self) -> Result<Value, u16> {
        loop {
            let message = timeout(PATIENCE, self.0.next()).await.expect("it comes in time");
            match message {
                Some(Ok(Message::Text(text))) => return Ok(serde_json::from_str(&text).unwrap()),
                Some(Ok(Message::Close(Some(frame)))) => return Err(frame.code.into()),
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    async fn next(&mut self, id: &str) -> Value {
        let mut message = self.hear().await.unwrap();
        assert_eq!(
            (&message["type"], &message["id"]),
            (&json!("next"), &json!(id)),
            "{message}"
        );
        message["payload"].take()
    }
}

#[on_both]
async fn events_come_as_they_are_asked_for(db: TestDb) {
    let app = app(db).await;
    let (server, client) = (Server::start(&app).await, app.all_scopes().await);
    let mut socket = server.greeted(&client).await;
    socket
        .subscribe(
            "a",
            "subscription { events(types: [\"user.created\"]) { type object { type id } data } }",
        )
        .await;
    socket.say(json!({"type": "ping"})).await;
    assert_eq!(socket.hear().await, Ok(json!({"type": "pong"})));
    let id = client.sign_up("ada@example.com").await;
    let event = socket.next("a").await;
    let event = &event["data"]["events"];
    assert_eq!(
        (&event["type"], &event["object"]["id"]),
        (&json!("user.created"), &json!(id.to_string()))
    );
    assert_eq!(event["data"]["email"], "ada@example.com");

    // From the beginning, beside the other; and a query, which is answered once.
    socket
        .subscribe("b", "subscription { all: events(after: 0) { position } }")
        .await;
    let position = &socket.next("b").await["data"]["all"]["position"];
    assert!(position.as_i64().unwrap() > 0);
    socket.say(json!({"type": "complete", "id": "a"})).await;
    socket.say(json!({"type": "complete", "id": "b"})).await;
    client.sign_up("bob@example.com").await;
    socket.subscribe("c", "{ users(first: 1) { nodes { email } } }").await;
    // What was on its way when it was completed still comes.
    let mut answer = socket.hear().await.unwrap();
    while answer["id"] != "c" {
        answer = socket.hear().await.unwrap();
    }
    assert_eq!(
        answer["payload"]["data"]["users"]["nodes"],
        json!([{"email": "bob@example.com"}])
    );
    assert_eq!(socket.hear().await, Ok(json!({"type": "complete", "id": "c"})));
}

#[on_both]
async fn nobody_hears_what_they_may_not_see(db: TestDb) {
    let app = app(db).await;
    let server = Server::start(&app).await;
    let (keys, ada) = (
        app.key(&[Scope::SESSIONS_READ]).await,
        app.person("ada@example.com").await,
    );
    let mut socket = server.greeted(&keys).await;
    for (query, code) in [
        ("subscription { events { id } }", "insufficient_scope"),
        (
            "subscription { events(types: [\"nothing\"]) { id } }",
            "invalid_request",
        ),
        ("subscription { events(types: []) { id } }", "invalid_request"),
    ] {
        socket.subscribe("a", query).await;
        let refused = socket.hear().await.unwrap();
        assert_eq!(
            (&refused["type"], &refused["payload"][0]["extensions"]["code"]),
            (&json!("error"), &json!(code))
        );
    }
    let own = app.person("eve@example.com").await;
    let mut socket = server.greeted(&own.client).await;
    socket.subscribe("mine", "subscription { events { type } }").await;
    let refused = socket.hear().await.unwrap();
    assert_eq!(
        refused["payload"][0]["extensions"]["code"], "insufficient_scope",
        "{refused}"
    );
    drop(ada);

    let reader = app.key(&[Scope::USERS_READ]).await;
    let mut socket = server.greeted(&reader).await;
    socket
        .subscribe("late", "subscription { events(after: 999999999) { id } }")
        .await;
    let refused = socket.hear().await.unwrap();
    assert_eq!(
        refused["payload"][0]["extensions"]["code"], "position_unknown",
        "{refused}"
    );
}

#[on_both]
async fn who_does_not_keep_to_the_protocol_is_sent_away(db: TestDb) {
    let app = app(db).await;
    let (server, client) = (Server::start(&app).await, app.all_scopes().await);
    let endless = "subscription { events { id } }";
    for (messages, code) in [
        (
            vec![json!({"type": "subscribe", "id": "a", "payload": {"query": endless}})],
            4401,
        ),
        (vec![json!({"type": "connection_init"})], 4401),
        (
            vec![json!({"type": "connection_init", "payload": {"authorization": "Bearer uak_x"}})],
            4401,
        ),
        (vec![json!({"type": "hello"})], 4400),
    ] {
        let mut socket = server.connect(None).await.unwrap();
        for message in messages {
            socket.say(message).await;
        }
        assert_eq!(socket.hear().await, Err(code));
    }
    for (messages, code) in [
        (vec![json!({"type": "connection_init", "payload": {}})], 4429),
        (vec![json!({"type": "shout"})], 4400),
        (
            vec![json!({"type": "subscribe", "id": "", "payload": {"query": endless}})],
            4400,
        ),
        (
            vec![json!({"type": "subscribe", "id": "a", "payload": {"query": endless}}); 2],
            4409,
        ),
    ] {
        let mut socket = server.greeted(&client).await;
        for message in messages {
            socket.say(message).await;
        }
        assert_eq!(socket.hear().await, Err(code));
    }
    let mut socket = server.greeted(&client).await;
    for number in 0..33 {
        socket.subscribe(&number.to_string(), endless).await;
    }
    assert_eq!(socket.hear().await, Err(4429));
    let mut socket = server.greeted(&client).await;
    socket
        .say(json!({"type": "subscribe", "id": "a", "payload": {"query": "#".repeat(70_000)}}))
        .await;
    assert_eq!(socket.hear().await, Err(1009));
    let mut request = format!("ws://{}/graphql", server.address)
        .into_client_request()
        .unwrap();
    request
        .headers_mut()
        .insert("user-agent", HeaderValue::from_static("no subprotocol"));
    let mut socket = Socket(connect_async(request).await.unwrap().0);
    assert_eq!(socket.hear().await, Err(4406));
    let Err(Error::Http(refused)) = server.connect(Some("https://evil.example")).await else {
        panic!("a foreign page must not speak for who looks at it");
    };
    assert_eq!(refused.status(), 403);
}

#[on_both]
async fn what_cannot_run_counts_as_well(db: TestDb) {
    let app = TestApp::with(db, &[("GRAPHQL", "on"), ("RATE_LIMITS", "key=5/h")]).await;
    let server = Server::start(&app).await;
    let client = app.key(&[Scope::USERS_READ]).await;
    let mut socket = server.greeted(&client).await;
    for number in 0..6 {
        socket.subscribe(&number.to_string(), "{ nothing }").await;
    }
    let mut refused = 0;
    for _ in 0..6 {
        let answer = socket.hear().await.unwrap();
        assert_eq!(answer["type"], "error");
        refused += u32::from(answer["payload"][0]["extensions"]["code"] == "rate_limited");
    }
    assert_eq!(refused, 2);
}

#[on_both]
async fn a_subscription_ends_with_its_credential_and_with_the_server(db: TestDb) {
    let app = app(db).await;
    let server = Server::start(&app).await;
    let (client, row) = app.key_row(&[Scope::USERS_READ]).await;
    let mut socket = server.greeted(&client).await;
    socket.subscribe("a", "subscription { events(after: 0) { id } }").await;
    let other = app.all_scopes().await;
    other.sign_up("ada@example.com").await;
    assert!(socket.next("a").await["data"]["events"]["id"].is_string());
    let mut stays = server.greeted(&other).await;
    let mut row = row.into_active_model();
    row.revoked_at = Set(Some(now()));
    row.update(&app.context.db).await.unwrap();
    let began = Instant::now();
    assert_eq!(socket.hear().await, Err(4401));
    assert!(began.elapsed() < Duration::from_secs(5));
    server.stop.cancel();
    assert_eq!(stays.hear().await, Err(1001));
}

#[on_both]
async fn a_socket_ends_soon_after_its_person_is_locked_deactivated_deleted_or_signed_out(db: TestDb) {
    let app = app(db).await;
    let (server, staff) = (Server::start(&app).await, app.all_scopes().await);
    let mut open = vec![];
    for what in ["lock", "deactivate", "delete", "sign out"] {
        let person = app.person(&format!("{}@example.com", what.replace(' ', "-"))).await;
        open.push((what, server.greeted(&person.client).await, person));
    }
    let lasting = app.person("lasting@example.com").await;
    let mut lasting = server.greeted(&lasting.client).await;
    for (what, _, person) in &open {
        let at = format!("/users/{}", person.id);
        let answer = match *what {
            "delete" => staff.delete(&at).await,
            "sign out" => person.client.clone().post_text("/auth/logout", "").await,
            _ => staff.post(&format!("{at}/{what}"), &json!({})).await,
        };
        assert!(answer.status.is_success(), "{what}: {}", answer.text());
    }
    let began = Instant::now();
    for (what, mut socket, _) in open {
        assert_eq!(socket.hear().await, Err(4401), "{what}");
    }
    assert!(began.elapsed() < Duration::from_secs(5));
    lasting.say(json!({"type": "ping"})).await;
    assert_eq!(lasting.hear().await, Ok(json!({"type": "pong"})));
}
