//! `POST /users`: the frozen contract of the well-known example, row by row.

use axum::{
    body::Body,
    http::{Method, StatusCode},
};
use serde_json::{Value, json};
use usher_shared::{accounts::api_keys::Scope, foundation::entity::job::JobState};
use usher_testkit::{TestDb, on_both};

use crate::app::TestApp;

fn at(kind: &str, field: &str) -> (String, Value) {
    (kind.to_owned(), json!(["body", field]))
}

#[on_both]
async fn a_sign_up_answers_the_four_keys_and_where_the_user_is(db: TestDb) {
    let app = TestApp::start(db).await;
    let client = app.key(&[Scope::USERS_WRITE]).await;
    let answer = client
        .post(
            "/users",
            &json!({"name": " Ada Lovelace ", "email": "Ada@Example.COM", "age": 36}),
        )
        .await;
    assert_eq!(answer.status, StatusCode::CREATED);
    let body = answer.json();
    let keys: Vec<_> = body.as_object().unwrap().keys().cloned().collect();
    assert_eq!(keys, ["created_at", "email", "id", "name"]);
    assert_eq!(
        (&body["name"], &body["email"]),
        (&json!("Ada Lovelace"), &json!("Ada@example.com"))
    );
    assert!(body["created_at"].as_str().unwrap().ends_with('Z'));
    assert_eq!(answer.header("location"), format!("/users/{}", body["id"]));
    assert_eq!(answer.header("etag"), "\"1\"");
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(client.get(answer.header("location")).await.header("etag"), "\"1\"");
}

#[on_both]
async fn the_welcome_job_commits_with_the_user(db: TestDb) {
    let app = TestApp::start(db).await;
    let (client, key) = app.key_row(&[Scope::USERS_WRITE]).await;
    let id = client.sign_up("ada@example.com").await;
    let jobs = app.jobs_of(id).await;
    assert_eq!(jobs.len(), 1);
    assert_eq!(
        (jobs[0].kind.as_str(), jobs[0].state),
        ("welcome_email", JobState::Ready)
    );
    assert_eq!(jobs[0].payload, json!({"user_id": id}));
    assert_eq!(jobs[0].actor, Some(format!("api_key:{}", key.id)));
}

#[on_both]
async fn the_same_email_in_any_case_is_refused_and_leaves_nothing_behind(db: TestDb) {
    let app = TestApp::start(db).await;
    let client = app.all_scopes().await;
    client.sign_up("Ada@example.com").await;
    for again in [
        "Ada@example.com",
        "ada@example.com",
        "ADA@EXAMPLE.COM",
        " ada@example.com ",
    ] {
        let answer = client.post("/users", &json!({"name": "Eve", "email": again})).await;
        answer.is(409, "email_exists");
        assert_eq!(answer.json()["detail"], "Email already registered");
    }
    assert_eq!(app.count_users().await, 1);
}

#[on_both]
async fn of_two_hundred_at_once_one_gets_the_email(db: TestDb) {
    let app = TestApp::start(db).await;
    let client = app.all_scopes().await;
    let all = (0..200).map(|number| {
        let client = client.clone();
        tokio::spawn(async move {
            let email = if number % 2 == 0 {
                "ada@example.com"
            } else {
                "ADA@example.com"
            };
            client
                .post("/users", &json!({"name": "Ada", "email": email}))
                .await
                .status
                .as_u16()
        })
    });
    let mut statuses = vec![];
    for one in all.collect::<Vec<_>>() {
        statuses.push(one.await.unwrap());
    }
    statuses.sort_unstable();
    assert_eq!(statuses[0], 201);
    assert!(statuses[1..].iter().all(|status| *status == 409), "{statuses:?}");
    assert_eq!(app.count_users().await, 1);
}

#[on_both]
async fn every_fault_is_listed_at_once_in_declaration_order(db: TestDb) {
    let app = TestApp::start(db).await;
    let client = app.all_scopes().await;
    let cases: [(Value, Vec<(String, Value)>); 16] = [
        (json!({}), vec![at("missing", "name"), at("missing", "email")]),
        (
            json!({"age": -1}),
            vec![
                at("missing", "name"),
                at("missing", "email"),
                at("greater_than_equal", "age"),
            ],
        ),
        (
            json!({"age": 151, "email": "ada", "name": ""}),
            vec![
                at("string_too_short", "name"),
                at("value_error", "email"),
                at("less_than_equal", "age"),
            ],
        ),
        (
            json!({"name": null, "email": 5, "age": "36"}),
            vec![
                at("string_type", "name"),
                at("string_type", "email"),
                at("int_type", "age"),
            ],
        ),
        (
            json!({"name": "Ada", "email": "ada@example.com", "age": true}),
            vec![at("int_type", "age")],
        ),
        (
            json!({"name": "Ada", "email": "ada@example.com", "age": 36.5}),
            vec![at("int_from_float", "age")],
        ),
        (
            json!({"name": "Ada", "email": "ada@example.com", "age": [36]}),
            vec![at("int_type", "age")],
        ),
        (
            json!({"name": "Ada", "email": "ada@example.com", "age": 1e300}),
            vec![at("less_than_equal", "age")],
        ),
        (
            json!({"name": "Ada", "email": "ada@example.com", "age": u64::MAX}),
            vec![at("less_than_equal", "age")],
        ),
        (
            json!({"name": "Ada", "email": "ada@example.com", "age": -1e300}),
            vec![at("greater_than_equal", "age")],
        ),
        (
            json!({"name": "x".repeat(256), "email": "ada@example.com"}),
            vec![at("string_too_long", "name")],
        ),
        (
            json!({"name": " \t ", "email": "ada@example.com"}),
            vec![at("string_too_short", "name")],
        ),
        (
            json!({"name": "A\0da", "email": "ada@example.com"}),
            vec![at("value_error", "name")],
        ),
        (
            json!({"name": "Ada", "email": "ada@example.com\0"}),
            vec![at("value_error", "email")],
        ),
        (json!({"name": "Ada", "email": ""}), vec![at("value_error", "email")]),
        (
            json!({"name": "Ada", "email": format!("{}@example.com", "x".repeat(300))}),
            vec![at("value_error", "email")],
        ),
    ];
    for (body, faults) in cases {
        assert_eq!(client.post("/users", &body).await.faults(), faults, "{body}");
    }
    assert_eq!(app.count_users().await, 0);
}

#[on_both]
async fn the_limits_that_were_broken_are_told(db: TestDb) {
    let app = TestApp::start(db).await;
    let answer = app
        .all_scopes()
        .await
        .post(
            "/users",
            &json!({"name": "x".repeat(256), "email": "a@b.org", "age": 151}),
        )
        .await;
    let detail = answer.json()["detail"].clone();
    assert_eq!(
        (&detail[0]["ctx"], &detail[1]["ctx"]),
        (&json!({"max_length": 255}), &json!({"le": 150}))
    );
}

#[on_both]
async fn what_is_valid_is_accepted(db: TestDb) {
    let app = TestApp::start(db).await;
    let client = app.all_scopes().await;
    for (number, rest) in [
        r#""age": null"#,
        r#""age": 0"#,
        r#""age": 150"#,
        r#""age": 36.0"#,
        r#""age": 3.6e1"#,
        r#""age": "first", "age": 36"#,
        r#""unknown": {"deep": [1, 2, {"x": null}]}"#,
        r#""is_superuser": true, "id": 7, "status": "locked""#,
    ]
    .iter()
    .enumerate()
    {
        let text = format!(r#"{{"name": "Ada", "email": "ada{number}@example.com", {rest}}}"#);
        let answer = client.post_text("/users", &text).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{text}: {}", answer.text());
    }
    let last = client.get("/users/8").await.json();
    assert_eq!(last["status"], "active", "unknown fields are ignored");
    assert_eq!(
        client.get("/users/6").await.json()["age"],
        36,
        "the last of two keys wins"
    );
}

#[on_both]
async fn what_is_no_json_object_is_said_to_be_none(db: TestDb) {
    let app = TestApp::start(db).await;
    let client = app.all_scopes().await;
    let whole = |kind: &str| vec![(kind.to_owned(), json!(["body"]))];
    for text in ["[]", "null", "5", "true", r#""{}""#, r#"[{"name": "Ada"}]"#] {
        assert_eq!(
            client.post_text("/users", text).await.faults(),
            whole("model_attributes_type"),
            "{text}"
        );
    }
    assert_eq!(client.post_text("/users", "").await.faults(), whole("missing"));
    let body = || Body::from(r#"{"name": "Ada", "email": "ada@example.com"}"#);
    assert_eq!(
        client.call(Method::POST, "/users", body()).await.faults(),
        whole("model_attributes_type")
    );
    for other in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "text/json",
        "json",
        "application/jsonx",
        "",
    ] {
        let client = client.clone().with("content-type", other);
        assert_eq!(
            client.call(Method::POST, "/users", body()).await.faults(),
            whole("model_attributes_type"),
            "{other}"
        );
    }
    assert_eq!(
        client.call(Method::POST, "/users", Body::empty()).await.faults(),
        whole("missing")
    );
}

#[on_both]
async fn every_json_type_is_json(db: TestDb) {
    let app = TestApp::start(db).await;
    let client = app.all_scopes().await;
    let types = [
        "application/json",
        "APPLICATION/JSON; charset=utf-8",
        "application/vnd.api+json",
        "application/problem+json;x=y",
    ];
    for (number, kind) in types.iter().enumerate() {
        let body = json!({"name": "Ada", "email": format!("ada{number}@example.com")}).to_string();
        let answer = client
            .clone()
            .with("content-type", kind)
            .call(Method::POST, "/users", body.into())
            .await;
        assert_eq!(answer.status, StatusCode::CREATED, "{kind}: {}", answer.text());
    }
}

#[on_both]
async fn bad_json_is_located_by_character(db: TestDb) {
    let app = TestApp::start(db).await;
    let client = app.all_scopes().await;
    for (text, offset) in [
        ("{", 1),
        (r#"{"name": }"#, 9),
        (r#"{"é": }"#, 6),
        ("{\n\"name\":\n}", 10),
        (r#"{"name": "Ada"} x"#, 16),
        (r#"{"age": NaN}"#, 8),
        (r#"{"age": Infinity}"#, 8),
        (r#"{"age": -Infinity}"#, 9),
        ("{'name': 1}", 1),
        ("nonsense", 1),
    ] {
        let faults = client.post_text("/users", text).await.faults();
        assert_eq!(faults, [("json_invalid".to_owned(), json!(["body", offset]))], "{text}");
    }
    for text in [
        r#"{"name": "\ud800"}"#,
        r#"{"name": "\udc00x"}"#,
        r#"{"age": 1e999}"#,
        "{\"name\": \"a\nb\"}",
        "\u{feff}{}",
    ] {
        assert_eq!(
            client.post_text("/users", text).await.faults()[0].0,
            "json_invalid",
            "{text}"
        );
    }
}

#[on_both]
async fn nesting_has_a_limit(db: TestDb) {
    let app = TestApp::start(db).await;
    let client = app.all_scopes().await;
    let nested = |depth: usize| format!(r#"{{"x": {}{}}}"#, "[".repeat(depth), "]".repeat(depth));
    assert_eq!(client.post_text("/users", &nested(63)).await.faults()[0].0, "missing");
    assert_eq!(
        client.post_text("/users", &nested(64)).await.faults(),
        [("json_invalid".to_owned(), json!(["body", 69]))]
    );
    assert_eq!(
        client.post_text("/users", &"[".repeat(200_000)).await.faults()[0].0,
        "json_invalid"
    );
    let brackets_in_text = json!({"name": "[".repeat(100), "email": "ada@example.com", "x": "\\\"[[["});
    assert_eq!(
        client.post("/users", &brackets_in_text).await.status,
        StatusCode::CREATED
    );
}

#[on_both]
async fn a_body_that_is_no_text_is_400_and_one_too_large_413(db: TestDb) {
    let app = TestApp::start(db).await;
    let client = app.all_scopes().await.with("content-type", "application/json");
    let answer = client
        .call(Method::POST, "/users", Body::from(&b"{\"name\": \"\xff\"}"[..]))
        .await;
    answer.is(400, "body_not_text");
    let fits = format!(r#"{{"x": "{}"}}"#, "y".repeat(256 * 1024 - 9));
    assert_eq!(fits.len(), 256 * 1024);
    assert_eq!(
        client.call(Method::POST, "/users", fits.clone().into()).await.faults()[0].0,
        "missing"
    );
    client
        .call(Method::POST, "/users", format!("{fits} ").into())
        .await
        .is(413, "body_too_large");
    let chunks = futures::stream::iter((0..40).map(|_| Ok::<_, std::io::Error>(vec![b' '; 8 * 1024])));
    client
        .call(Method::POST, "/users", Body::from_stream(chunks))
        .await
        .is(413, "body_too_large");
}

#[on_both]
async fn open_sign_up_needs_no_credential(db: TestDb) {
    let app = TestApp::with(db, &[("SIGN_UP", "open")]).await;
    let id = app.anonymous().sign_up("ada@example.com").await;
    assert_eq!(app.jobs_of(id).await[0].actor.as_deref(), Some("anonymous"));
    app.anonymous()
        .get(&format!("/users/{id}"))
        .await
        .is(401, "authentication_required");
}
