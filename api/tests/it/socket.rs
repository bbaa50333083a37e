//! `GET /ws`: events over a WebSocket, on a real one.

use std::{net::SocketAddr, time::Duration};

use futures::{SinkExt, StreamExt};
use sea_orm::{ActiveModelTrait, ActiveValue::Set, IntoActiveModel};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{Error, Message, client::IntoClientRequest, http::HeaderValue},
};
use tokio_util::sync::CancellationToken;
use usher_shared::{accounts::api_keys::Scope, foundation::time::now};
use usher_testkit::{TestDb, on_both};

use crate::app::{Client, TestApp};

const PATIENCE: Duration = Duration::from_secs(10);

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

    async fn connect(&self, headers: &[(&'static str, &str)]) -> Result<Socket, Error> {
        let mut request = format!("ws://{}/ws", self.address).into_client_request()?;
        for (name, value) in headers {
            request
                .headers_mut()
                .insert(*name, HeaderValue::from_str(value).unwrap());
        }
        Ok(Socket(connect_async(request).await?.0))
    }
}

struct Socket(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Socket {
    async fn say(&mut self, message: Value) {
        self.0.send(Message::text(message.to_string())).await.unwrap();
    }

    /// The next message; none at the end.
    async fn hear(&mut self) -> Option<Value> {
        loop {
            let message = tokio::time::timeout(PATIENCE, self.0.next())
                .await
                .expect("it comes in time")?;
            match message.ok()? {
                Message::Text(text) => return Some(serde_json::from_str(&text).unwrap()),
                Message::Close(_) => return None,
                _ => {}
            }
        }
    }

    async fn expect(&mut self, kind: &str) -> Value {
        let message = self.hear().await.expect("a message");
        assert_eq!(message["type"], kind, "{message}");
        message
    }
}

fn token(client: &Client) -> String {
    let (_, value) = client
        .headers()
        .iter()
        .find(|(name, _)| name == "authorization")
        .unwrap();
    value.strip_prefix("Bearer ").unwrap().to_owned()
}

async fn authenticated(server: &Server, client: &Client) -> Socket {
    let mut socket = server.connect(&[]).await.unwrap();
    socket
        .say(json!({"type": "authenticate", "token": token(client)}))
        .await;
    socket.expect("authenticated").await;
    socket
}

#[on_both]
async fn a_client_follows_what_it_subscribes_to(db: TestDb) {
    let app = TestApp::start(db).await;
    let (server, client) = (Server::start(&app).await, app.all_scopes().await);
    let mut socket = authenticated(&server, &client).await;
    socket
        .say(json!({"type": "subscribe", "id": "new", "types": ["user.created"]}))
        .await;
    socket.say(json!({"type": "subscribe", "id": "all", "after": 0})).await;
    assert_eq!(socket.expect("subscribed").await["id"], "new");
    assert_eq!(socket.expect("subscribed").await["id"], "all");
    let id = client.sign_up("ada@example.com").await;
    let (one, other) = (socket.expect("event").await, socket.expect("event").await);
    let mut names = [one["id"].as_str().unwrap(), other["id"].as_str().unwrap()];
    names.sort_unstable();
    assert_eq!((names, &one["event"]), (["all", "new"], &other["event"]));
    assert_eq!(one["event"]["data"]["id"], id);
    client.patch(&format!("/users/{id}"), &json!({"name": "Augusta"})).await;
    let updated = socket.expect("event").await;
    assert_eq!(
        (&updated["id"], &updated["event"]["type"]),
        (&json!("all"), &json!("user.updated"))
    );
    socket.say(json!({"type": "unsubscribe", "id": "all"})).await;
    socket.expect("unsubscribed").await;
    client.sign_up("bob@example.com").await;
    assert_eq!(socket.expect("event").await["id"], "new");
    let seen = updated["event"]["position"].as_i64().unwrap();
    socket
        .say(json!({"type": "subscribe", "id": "again", "after": seen}))
        .await;
    assert_eq!(socket.expect("subscribed").await["after"], seen);
    assert_eq!(
        socket.expect("event").await["event"]["data"]["email"],
        "bob@example.com"
    );
}

#[on_both]
async fn what_is_not_understood_is_refused_and_the_rest_goes_on(db: TestDb) {
    let app = TestApp::start(db).await;
    let (server, client) = (Server::start(&app).await, app.all_scopes().await);
    let mut socket = authenticated(&server, &client).await;
    for (message, code) in [
        (json!({"type": "shout"}), "invalid_request"),
        (json!({"type": "subscribe", "id": ""}), "invalid_request"),
        (
            json!({"type": "subscribe", "id": "a", "types": ["nothing"]}),
            "invalid_request",
        ),
        (json!({"type": "subscribe", "id": "a", "after": -1}), "invalid_request"),
        (
            json!({"type": "subscribe", "id": "a", "after": 4711}),
            "position_unknown",
        ),
        (json!({"type": "subscribe", "id": "a", "more": 1}), "invalid_request"),
        (json!({"type": "authenticate", "token": "x"}), "invalid_request"),
        (json!([1, 2]), "invalid_request"),
    ] {
        socket.say(message).await;
        assert_eq!(socket.expect("error").await["code"], code);
    }
    for number in 0..32 {
        socket.say(json!({"type": "subscribe", "id": number.to_string()})).await;
        socket.expect("subscribed").await;
    }
    socket.say(json!({"type": "subscribe", "id": "33"})).await;
    assert!(socket.expect("error").await["detail"].as_str().unwrap().contains("32"));
    let narrow = app.key(&[Scope::SESSIONS_READ]).await;
    let mut socket = authenticated(&server, &narrow).await;
    socket.say(json!({"type": "subscribe", "id": "a"})).await;
    assert_eq!(socket.expect("error").await["code"], "insufficient_scope");
}

#[on_both]
async fn who_has_no_credential_or_comes_from_a_foreign_page_is_refused(db: TestDb) {
    let app = TestApp::with(
        db,
        &[
            ("CORS_ORIGINS", "https://app.example.org"),
            ("API_URL", "https://api.example.org/v1"),
        ],
    )
    .await;
    let (server, client) = (Server::start(&app).await, app.all_scopes().await);
    for (first, reason) in [
        (
            json!({"type": "authenticate", "token": "uak_typo"}),
            "invalid_credential",
        ),
        (json!({"type": "subscribe", "id": "a"}), "authentication_required"),
    ] {
        let mut socket = server.connect(&[]).await.unwrap();
        socket.say(first).await;
        assert_eq!(socket.expect("end").await["reason"], reason);
        assert!(socket.hear().await.is_none());
    }
    let status = |refused: Result<Socket, Error>| match refused {
        Err(Error::Http(answer)) => answer.status().as_u16(),
        Err(other) => panic!("{other}"),
        Ok(_) => 101,
    };
    for (origin, expected) in [
        ("https://app.example.org", 101),
        ("https://api.example.org", 101),
        ("https://evil.example", 403),
        ("https://app.example.org.evil.example", 403),
        ("null", 403),
    ] {
        assert_eq!(
            status(server.connect(&[("origin", origin)]).await),
            expected,
            "{origin}"
        );
    }
    let offer = format!("usher.events.v1, bearer.{}", token(&client));
    let mut socket = server.connect(&[("sec-websocket-protocol", &offer)]).await.unwrap();
    socket.expect("authenticated").await;
    let wrong = server
        .connect(&[("sec-websocket-protocol", "usher.events.v1, bearer.uak_x")])
        .await;
    assert_eq!(status(wrong), 401);
    let token = token(&client);
    assert_eq!(app.anonymous().get(&format!("/ws?token={token}")).await.status, 426);
}

#[on_both]
async fn a_socket_ends_soon_after_its_key_and_with_the_process(db: TestDb) {
    let app = TestApp::start(db).await;
    let server = Server::start(&app).await;
    let (client, row) = app.key_row(&[Scope::USERS_READ]).await;
    let (lasting, _) = app.key_row(&[Scope::USERS_READ]).await;
    let (mut socket, mut other) = (
        authenticated(&server, &client).await,
        authenticated(&server, &lasting).await,
    );
    for socket in [&mut socket, &mut other] {
        socket.say(json!({"type": "subscribe", "id": "a"})).await;
        socket.expect("subscribed").await;
    }
    let mut row = row.into_active_model();
    row.revoked_at = Set(Some(now()));
    row.update(&app.context.db).await.unwrap();
    let end = tokio::time::timeout(Duration::from_secs(5), socket.expect("end"))
        .await
        .expect("within 5 s");
    assert_eq!(end["reason"], "credential_ended");
    assert!(socket.hear().await.is_none());
    server.stop.cancel();
    assert_eq!(other.expect("end").await["reason"], "shutting_down");
    assert!(other.hear().await.is_none());
}

/// What a message of the socket has in the document of events: the members, and those that are never missing.
fn described(document: &Value, name: &str) -> (Vec<String>, Vec<String>) {
    let message = &document["channels"]["socket"]["messages"][name];
    let members = message["payload"]["properties"].as_object().expect(name).keys();
    let required = message["payload"]["required"].as_array().expect(name).iter();
    (
        members.cloned().collect(),
        required.map(|member| member.as_str().unwrap().to_owned()).collect(),
    )
}

/// Whether the document of events knows the message, with all that it has.
fn assert_is_described(document: &Value, message: &Value) {
    let (members, required) = described(document, message["type"].as_str().expect("a type"));
    let has: Vec<_> = message.as_object().unwrap().keys().cloned().collect();
    assert!(has.iter().all(|member| members.contains(member)), "{message}");
    assert!(required.iter().all(|member| has.contains(member)), "{message}");
    let payload = &document["channels"]["socket"]["messages"][message["type"].as_str().unwrap()]["payload"];
    for word in ["code", "reason"] {
        if let Some(words) = payload["properties"][word]["enum"].as_array() {
            assert!(words.contains(&message[word]), "{message}");
        }
    }
}

#[on_both]
async fn what_is_said_is_what_the_document_of_events_says(db: TestDb) {
    let app = TestApp::start(db).await;
    let (server, client) = (Server::start(&app).await, app.all_scopes().await);
    let document = client.get("/asyncapi.json").await.json();
    let mut socket = server.connect(&[]).await.unwrap();
    // The examples of the document work, in its order of use.
    for request in ["authenticate", "subscribe", "unsubscribe"] {
        let mut example = document["channels"]["socket"]["messages"][request]["examples"][0]["payload"].clone();
        match request {
            "authenticate" => example["token"] = token(&client).into(),
            "subscribe" => example["after"] = 0.into(),
            _ => {
                client.sign_up("ada@example.com").await;
                let event = socket.expect("event").await;
                assert_is_described(&document, &event);
                let known = &document["components"]["schemas"]["Event"]["properties"];
                let known: Vec<_> = known.as_object().unwrap().keys().collect();
                assert_eq!(event["event"].as_object().unwrap().keys().collect::<Vec<_>>(), known);
            }
        }
        socket.say(example).await;
        let answer = socket.hear().await.expect("an answer");
        assert_is_described(&document, &answer);
        let answers = document["operations"][request]["reply"]["messages"].as_array().unwrap();
        let at = format!("#/channels/socket/messages/{}", answer["type"].as_str().unwrap());
        assert!(
            answer["type"] != "error" && answers.contains(&json!({"$ref": at})),
            "{answer}"
        );
    }
    socket.say(json!({"type": "shout"})).await;
    assert_is_described(&document, &socket.expect("error").await);
    server.stop.cancel();
    assert_is_described(&document, &socket.expect("end").await);
}
