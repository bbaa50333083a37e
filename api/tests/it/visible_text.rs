//! What people are shown can be seen, wherever it comes in.

use axum::{
    body::Body,
    http::{Method, StatusCode},
};
use serde_json::json;
use usher_testkit::{TestDb, on_both};

use crate::app::TestApp;

/// Nothing to be seen, or something that hides or turns what is beside it.
const HIDDEN: [&str; 9] = [
    "\u{200b}",
    "Ada\u{202e}Lovelace",
    "Ada\u{2066}",
    "Ada\u{e000}",
    "Ada\u{378}",
    "\u{2800}",
    "\u{3164}",
    "\u{301}",
    "Ada\u{fe0f}",
];

const SEEN: [&str; 6] = [
    "👩\u{1f3fd}\u{200d}❤\u{fe0f}\u{200d}👨",
    "علی\u{200c}رضا",
    "מַשֶּׁה",
    "क्\u{200d}षत्रिय",
    "E\u{301}lodie",
    "山田太郎",
];

fn at_external_id(id: &str) -> String {
    let id: String = id.bytes().map(|byte| format!("%{byte:02X}")).collect();
    format!("/users/by-external-id/{id}")
}

#[on_both]
async fn what_cannot_be_seen_is_refused_everywhere(db: TestDb) {
    let app = TestApp::with(db, &[("SIGN_UP", "open"), ("RATE_LIMITS", "off")]).await;
    let client = app.all_scopes().await;
    let id = client.sign_up("ada@example.com").await;
    let me = app.person("eve@example.com").await;
    for hidden in HIDDEN {
        let fault = |field: &str| [("value_error".to_owned(), json!(["body", field]))];
        let new = json!({"name": hidden, "email": "bob@example.com"});
        assert_eq!(client.post("/users", &new).await.faults(), fault("name"), "{hidden:?}");
        let own = json!({"name": hidden, "email": "bob@example.com", "password": "velvet-Otter-72-canyon"});
        assert_eq!(
            app.anonymous().post("/auth/sign-up", &own).await.faults(),
            fault("name"),
            "{hidden:?}"
        );
        let name = json!({"name": hidden});
        assert_eq!(
            client.patch(&format!("/users/{id}"), &name).await.faults(),
            fault("name"),
            "{hidden:?}"
        );
        assert_eq!(
            me.client.patch("/me", &name).await.faults(),
            fault("name"),
            "{hidden:?}"
        );
        let label = json!({"label": hidden});
        assert_eq!(
            me.client.post("/me/mfa/totp", &label).await.faults(),
            fault("label"),
            "{hidden:?}"
        );
        for act in ["lock", "unlock", "deactivate", "reactivate"] {
            let answer = client
                .post(&format!("/users/{id}/{act}"), &json!({"reason": hidden}))
                .await;
            assert_eq!(answer.faults(), fault("reason"), "{act}: {hidden:?}");
        }
        let json = client.clone().with("content-type", "application/json");
        let body = Body::from(json!({"name": "Bob", "email": "bob@example.com"}).to_string());
        let put = json.call(Method::PUT, &at_external_id(hidden), body).await;
        assert_eq!(
            put.faults(),
            [("value_error".to_owned(), json!(["path", "id"]))],
            "{hidden:?}"
        );
    }
    assert_eq!(app.count_users().await, 2);
}

#[on_both]
async fn writing_of_all_kinds_stays_as_it_was_sent(db: TestDb) {
    let app = TestApp::start(db).await;
    let client = app.all_scopes().await.with("content-type", "application/json");
    for (number, seen) in SEEN.iter().enumerate() {
        let body = json!({"name": seen, "email": format!("u{number}@example.com")});
        let put = client
            .call(Method::PUT, &at_external_id(seen), Body::from(body.to_string()))
            .await;
        assert_eq!(put.status, StatusCode::CREATED, "{seen}: {}", put.text());
        assert_eq!(
            (&put.json()["name"], &put.json()["external_id"]),
            (&json!(seen), &json!(seen))
        );
    }
}
