//! Texts that mean something to a database or to a header: they stay texts.

use axum::{
    body::Body,
    http::{Method, header},
};
use serde_json::{Map, Value, json};
use url::form_urlencoded::byte_serialize;
use usher_testkit::{TestDb, on_both};

use crate::{app::TestApp, odd_input::operations, people::PASSWORD};

/// What ends a literal, a comment, a statement, a pattern or a C string somewhere.
const ATTACKS: [&str; 9] = [
    "'; DROP TABLE users; --",
    "' OR '1'='1",
    "\" OR \"\"=\"",
    "\\'; SELECT pg_sleep(9); --",
    "%_[a-z]*",
    "$1 ? :name {{7*7}} ${7*7}",
    "/* ada */ `x` #",
    "a\0b",
    "a\r\nSet-Cookie: injected=1",
];

/// A text as it stands in an address.
fn escaped(text: &str) -> String {
    byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20")
}

/// A body with all of these fields, plausible but for the attack in one of them.
fn body_with(fields: &[String], attacked: &str, attack: &str) -> Value {
    let value = |field: &str| match field {
        field if field == attacked => json!(attack),
        "age" => json!(36),
        "name" => json!("Ada"),
        field if field.contains("email") => json!("grace@example.com"),
        _ => json!(PASSWORD),
    };
    let fields = fields.iter().map(|field| (field.clone(), value(field)));
    Value::Object(fields.collect::<Map<_, _>>())
}

#[on_both]
async fn no_text_field_of_any_operation_is_more_than_text(db: TestDb) {
    let app = TestApp::with(db, &[("RATE_LIMITS", "off"), ("SIGN_UP", "open")]).await;
    let service = app.all_scopes().await;
    let (mut sent, mut number) = (0, 0);
    for (method, path, fields) in operations() {
        let one = path.replace("{id}", "1").replace("{sid}", "1");
        number += 1;
        let ada = app.person(&format!("ada{number}@example.com")).await;
        let is_own = path.starts_with("/me") || path.starts_with("/auth");
        let client = if is_own { &ada.client } else { &service };
        let client = client.clone().with("content-type", "application/json");
        let mut requests = vec![];
        for attack in ATTACKS {
            for field in &fields {
                requests.push((one.clone(), body_with(&fields, field, attack)));
            }
            let attacked = path
                .replace("{id}", &escaped(attack))
                .replace("{sid}", &escaped(attack));
            let attacked = attacked.replace("{code}", &escaped(attack));
            if attacked != path {
                requests.push((attacked, body_with(&fields, "", "")));
            }
            if method == Method::GET {
                for name in ["q", "sort", "cursor", "limit", "token", "email", "status"] {
                    requests.push((format!("{one}?{name}={}", escaped(attack)), json!({})));
                }
            }
        }
        for (address, body) in requests {
            sent += 1;
            let answer = client
                .call(method.clone(), &address, Body::from(body.to_string()))
                .await;
            assert!(
                answer.status.as_u16() < 500,
                "{method} {address} {body}: {}",
                answer.text()
            );
            assert!(
                !answer.headers.contains_key(header::SET_COOKIE),
                "{method} {address} {body}"
            );
        }
    }
    assert!(sent > 500, "only {sent} requests were made");
    // The tables are still there.
    assert_eq!(service.get("/users?limit=1").await.status, 200);
}

#[on_both]
async fn a_name_comes_back_as_it_was_sent(db: TestDb) {
    let app = TestApp::start(db).await;
    let client = app.all_scopes().await;
    for (number, attack) in ATTACKS.iter().enumerate() {
        let body = json!({"name": attack, "email": format!("ada{number}@example.com")});
        let answer = client.post("/users", &body).await;
        if attack.chars().any(char::is_control) {
            assert_eq!(answer.faults(), [("value_error".to_owned(), json!(["body", "name"]))]);
            continue;
        }
        assert_eq!(answer.status, 201, "{}", answer.text());
        let id = answer.json()["id"].as_i64().unwrap();
        assert_eq!(app.stored(id).await.name.as_bytes(), attack.as_bytes());
        let read = client.get(&format!("/users/{id}")).await.json();
        assert_eq!(read["name"].as_str().unwrap().as_bytes(), attack.as_bytes());
    }
    assert_eq!(app.count_users().await, 7);
}
