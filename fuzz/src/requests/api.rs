//! Requests to the API with a key of every scope, unless they bring another credential.

use std::cell::OnceCell;

use axum::{
    Router,
    http::{HeaderMap, header, response::Parts},
};
use serde_json::Value;
use tokio::runtime::{Builder, Runtime};
use usher_api::{AppState, router};
use usher_shared::accounts::api_keys::{self, Scope};
use usher_testkit::TestDb;

use super::{answer, app, default, request};

struct Api {
    runtime: Runtime,
    router: Router,
    credential: String,
    #[expect(dead_code, reason = "the database is dropped with it")]
    db: TestDb,
}

impl Api {
    fn start() -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        let (router, credential, db) = runtime.block_on(async {
            let db = TestDb::sqlite().await;
            // Guessing stays limited, so that hashing does not take the time; the key's own requests are not.
            let app = app(&db, &[("RATE_LIMITS", "key=1000000/s,user=1000000/s")]).await;
            let (_, key) = api_keys::create(&app.db, "fuzz", &Scope::BUILT_IN, None, None)
                .await
                .expect("a key");
            (router(AppState::new(&app)), format!("Bearer {}", key.as_str()), db)
        });
        Self {
            runtime,
            router,
            credential,
            db,
        }
    }
}

/// A request to the API, as text.
pub fn api_requests(data: &[u8]) {
    thread_local!(static API: OnceCell<Api> = const { OnceCell::new() });
    let Some(mut request) = request(data) else { return };
    API.with(|api| {
        let api = api.get_or_init(Api::start);
        default(request.headers_mut(), header::AUTHORIZATION, &api.credential);
        let is_head = request.method() == "HEAD";
        let (parts, body) = api.runtime.block_on(answer(&api.router, request));
        let told = String::from_utf8_lossy(&body);
        assert!(
            !told.contains(&api.credential["Bearer ".len()..]),
            "the credential comes back: {told}"
        );
        assert!(parts.headers.contains_key("x-request-id"), "{parts:?}");
        if is_json(&parts.headers)
            && !is_head
            && !body.is_empty()
            && !parts.headers.contains_key(header::CONTENT_ENCODING)
        {
            judge(&parts, &serde_json::from_slice(&body).expect("JSON"));
        }
    });
}

fn is_json(headers: &HeaderMap) -> bool {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    value.is_some_and(|value| value.contains("json"))
}

/// The two faces of an error, and that of a page.
fn judge(parts: &Parts, body: &Value) {
    let status = parts.status.as_u16();
    // What the layers around the token endpoint refuse is an error of both kinds.
    let is_oauth = body.get("error").is_some_and(Value::is_string);
    if is_oauth && body.get("status").is_none() {
        assert!(matches!(status, 400 | 401), "RFC 6749 §5.2: {status} {body}");
    } else if parts.status.is_client_error() {
        assert_eq!(body["status"], status, "{body}");
        assert!(
            body["code"].is_string() && body["title"].is_string() && body["request_id"].is_string(),
            "{body}"
        );
        let faults = body
            .get("errors")
            .or(body.get("detail").filter(|detail| detail.is_array()));
        let faults = faults.and_then(Value::as_array);
        assert!(body["detail"].is_string() || faults.is_some(), "{body}");
        assert!(
            faults.is_none_or(|faults| !faults.is_empty()),
            "a fault without words: {body}"
        );
    } else if let Some(more) = body.get("has_more") {
        assert_eq!(more, !body["next_cursor"].is_null(), "{body}");
        let rows = body["data"].as_array().map(Vec::len);
        assert!(rows.is_some_and(|rows| rows <= 200), "{rows:?} rows");
    }
}
