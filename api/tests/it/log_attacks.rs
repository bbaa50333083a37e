//! Requests that would write lines of their own into the log or into an answer's head, sent byte by byte to a real
//! `usher-api`.

use std::collections::BTreeSet;

use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use usher_shared::foundation::crypto::SecretKey;
use usher_testkit::{Folder, Program, Running, TestDb, free_port, on_both};

use crate::{app::TestApp, people::PASSWORD};

const EMAIL: &str = "mallory.secret@example.com";
const TOKEN: &str = "uat_stolen0stolen0stolen0stolen0stolen0stolen0";

/// What breaks a line, colours a terminal or ends a C string.
const BREAKS: [&str; 8] = [
    "\r\n",
    "\n",
    "\r",
    "\0",
    "\x1b[2J\x1b[31m",
    "\u{9b}31m",
    "\u{2028}",
    "\x07\x08\x7f",
];

/// The same in an address, with a line that would be false.
const ESCAPED: &str = "%0d%0aInjected:%201%0a%7b%22level%22:%22INFO%22%7d%1b%5b31m%00%e2%80%a8";

async fn api(db: &TestDb, format: &str) -> (Folder, Running, String) {
    let (folder, address) = (Folder::new(), format!("127.0.0.1:{}", free_port()));
    let program = Program::at(env!("CARGO_BIN_EXE_usher-api"))
        .env("DATABASE_URL", db.url())
        .env("SECRET_KEY", SecretKey::generate_base64())
        .env("API_ADDR", &address)
        .env("SIGN_UP", "open")
        .env("RATE_LIMITS", "off")
        .env("LOG_FORMAT", format)
        .ready_at(&address);
    let running = program.start(&folder).await;
    (folder, running, address)
}

/// What came back, up to the end of its head.
async fn head_of_answer(address: &str, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request).await.unwrap();
    let mut bytes = vec![];
    stream.read_to_end(&mut bytes).await.unwrap();
    let text = String::from_utf8_lossy(&bytes).into_owned();
    text.split("\r\n\r\n").next().unwrap_or_default().to_owned()
}

fn request(line: &str, headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "{line} HTTP/1.1\r\nHost: usher\r\nConnection: close\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\n{headers}\r\n{body}"
    )
    .into_bytes()
}

/// Every break in every place that a client writes.
fn attacks(key: &str) -> Vec<Vec<u8>> {
    let mut attacks = vec![];
    for broken in BREAKS {
        let text = format!("a{broken}Injected: 1{broken}{{\"level\":\"INFO\",\"message\":\"injected\"}}");
        for name in [
            "X-Request-Id",
            "User-Agent",
            "Idempotency-Key",
            "If-None-Match",
            "Origin",
            "Accept",
            "traceparent",
            "X-Forwarded-For",
        ] {
            let body = format!(r#"{{"name": "Ada", "email": "{EMAIL}"}}"#);
            let headers = format!("{name}: {text}\r\nAuthorization: Bearer {TOKEN}\r\n");
            attacks.push(request("POST /users", &headers, &body));
        }
        attacks.push(request(&format!("GET /users/{text}"), "", ""));
        let json = serde_json::to_string(&text).expect("JSON");
        for body in [
            format!(r#"{{"name": {json}, "email": "{EMAIL}"}}"#),
            format!(r#"{{"name": "{text}", {json}: 1, "email": "{EMAIL}"}}"#),
            format!(r#"{{"email": "{EMAIL}", "password": "{PASSWORD}", "name": {json}}}"#),
        ] {
            attacks.push(request("POST /users", "", &body));
            attacks.push(request("POST /auth/login", "", &body));
        }
    }
    let own = format!("Authorization: Bearer {key}\r\n");
    for path in ["users", "problems", "assets", "nowhere"] {
        attacks.push(request(&format!("GET /{path}/{ESCAPED}"), &own, ""));
        attacks.push(request(&format!("GET /{path}/{TOKEN}/"), &own, ""));
    }
    for query in ["q", "sort", "cursor", "other"] {
        attacks.push(request(&format!("GET /users?limit=1&{query}={ESCAPED}"), &own, ""));
        attacks.push(request(
            &format!("GET /set-password?token={TOKEN}&{query}={ESCAPED}"),
            "",
            "",
        ));
    }
    attacks
}

/// Sends all of them; how many reached the API, as its own answers say.
async fn send_all(address: &str, key: &str) -> usize {
    let mut reached = 0;
    for attack in attacks(key) {
        let head = head_of_answer(address, &attack).await;
        let told = format!("{}\n{head}", String::from_utf8_lossy(&attack));
        let mut lines = head.split("\r\n");
        let status = lines.next().unwrap_or_default();
        assert!(
            status.starts_with("HTTP/1.1 ") && !status.starts_with("HTTP/1.1 5"),
            "{told}"
        );
        for line in lines {
            assert!(
                !line.chars().any(char::is_control),
                "a raw control character in a header: {told}"
            );
            let name = line.split(':').next().unwrap_or_default();
            assert!(
                !name.eq_ignore_ascii_case("injected"),
                "a header of the client's making: {told}"
            );
            reached += usize::from(name == "x-request-id");
        }
    }
    reached
}

fn assert_clean(log: &str) {
    let raw = log.chars().find(|c| c.is_control() && *c != '\n');
    assert_eq!(raw, None, "a raw control character in the log:\n{log}");
    for secret in [EMAIL, TOKEN, PASSWORD, "uak_"] {
        assert!(!log.contains(secret), "{secret} is in the log:\n{log}");
    }
}

#[on_both]
async fn a_request_writes_one_line_and_no_secret_into_the_json_log(db: TestDb) {
    let (_folder, running, address) = api(&db, "json").await;
    let app = TestApp::with(db, &[]).await;
    let scopes = usher_shared::accounts::api_keys::Scope::BUILT_IN;
    let (_, key) = usher_shared::accounts::api_keys::create(&app.context.db, "t", &scopes, None, None)
        .await
        .unwrap();
    app.all_scopes().await.sign_up("ada@example.com").await;
    let reached = send_all(&address, key.as_str()).await;
    assert!(reached > 60, "only {reached} attacks got past the parser of HTTP");
    let log = running.log();
    assert_clean(&log);
    let lines = log
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap_or_else(|error| panic!("{error}: {line}")));
    let answered: Vec<Value> = lines.filter(|line| line["message"] == "answered").collect();
    assert_eq!(answered.len(), reached, "one line for each request:\n{log}");
    let routes: BTreeSet<&str> = answered.iter().filter_map(|line| line["route"].as_str()).collect();
    let known = [
        "/assets/{name}",
        "/auth/login",
        "/problems/{code}",
        "/set-password",
        "/users",
        "/users/{id}",
        "none",
    ];
    assert_eq!(routes, BTreeSet::from(known), "the route is told, never the address");
    assert_eq!(running.terminate().await, 0);
}

#[on_both]
async fn nor_into_the_log_for_people(db: TestDb) {
    let (_folder, running, address) = api(&db, "text").await;
    let app = TestApp::with(db, &[]).await;
    let scopes = usher_shared::accounts::api_keys::Scope::BUILT_IN;
    let (_, key) = usher_shared::accounts::api_keys::create(&app.context.db, "t", &scopes, None, None)
        .await
        .unwrap();
    let reached = send_all(&address, key.as_str()).await;
    let log = running.log();
    assert_clean(&log);
    assert_eq!(
        log.lines().filter(|line| line.contains(": answered ")).count(),
        reached,
        "{log}"
    );
    assert_eq!(running.terminate().await, 0);
}
