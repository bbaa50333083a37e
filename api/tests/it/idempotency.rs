//! A request that is sent again has its effect once.

use std::time::Duration;

use axum::http::StatusCode;
use chrono::TimeDelta;
use futures::future::join_all;
use sea_orm::{ActiveModelTrait, ActiveValue::Set, EntityTrait, IntoActiveModel, PaginatorTrait, TransactionTrait};
use serde_json::{Value, json};
use usher_shared::{
    accounts::api_keys::Scope,
    foundation::{
        entity::{idempotency_key, job, session},
        time::now,
    },
};
use usher_testkit::{TestDb, eventually, on_both, run};

use crate::{
    app::{Answer, Client, TestApp},
    people::PASSWORD,
};

const KEY: &str = "6f1c8d5e-3b0a-4f2e-9a57-0c4b7d1e2f30";

fn ada() -> Value {
    json!({"name": "Ada", "email": "ada@example.com"})
}

fn keyed(client: &Client) -> Client {
    client.clone().with("idempotency-key", KEY)
}

fn is_replay(answer: &Answer) -> bool {
    answer.header("idempotency-replayed") == "true"
}

async fn rows(app: &TestApp) -> Vec<idempotency_key::Model> {
    idempotency_key::Entity::find().all(&app.context.db).await.unwrap()
}

/// Writes the kept row anew, as if time had passed or its process had died.
async fn rewrite(app: &TestApp, change: impl FnOnce(&mut idempotency_key::ActiveModel)) {
    let mut row = rows(app).await.remove(0).into_active_model();
    change(&mut row);
    row.update(&app.context.db).await.unwrap();
}

#[on_both]
async fn a_repeated_request_gets_the_first_answer_again(db: TestDb) {
    let app = TestApp::start(db).await;
    let client = keyed(&app.all_scopes().await);
    let first = client.post("/users", &ada()).await;
    assert_eq!((first.status, is_replay(&first)), (StatusCode::CREATED, false));
    for path in ["/users", "/users/"] {
        let again = client.post(path, &ada()).await;
        assert_eq!((again.status, is_replay(&again)), (StatusCode::CREATED, true));
        assert_eq!(again.body, first.body);
        for header in ["location", "etag", "content-type", "cache-control"] {
            assert_eq!(again.header(header), first.header(header), "{header}");
        }
        assert_ne!(again.header("x-request-id"), first.header("x-request-id"));
    }
    assert_eq!(
        (
            app.count_users().await,
            job::Entity::find().count(&app.context.db).await.unwrap()
        ),
        (1, 1)
    );
}

#[on_both]
async fn a_repeated_patch_answers_as_if_nothing_had_happened_since(db: TestDb) {
    let app = TestApp::start(db).await;
    let client = app.all_scopes().await;
    let path = format!("/users/{}", client.sign_up("ada@example.com").await);
    let patch = json!({"name": "Ada King"});
    let lost = keyed(&client).with("if-match", "\"1\"");
    assert_eq!(lost.patch(&path, &patch).await.header("etag"), "\"2\"");
    client.patch(&path, &json!({"name": "Augusta"})).await;
    let again = lost.patch(&path, &patch).await;
    assert_eq!(
        (again.status, again.header("etag"), &again.json()["name"]),
        (StatusCode::OK, "\"2\"", &json!("Ada King"))
    );
    assert_eq!(client.get(&path).await.json()["name"], "Augusta");
}

#[on_both]
async fn the_same_key_for_something_else_is_refused(db: TestDb) {
    let app = TestApp::start(db).await;
    let client = keyed(&app.all_scopes().await);
    let id = client.sign_up("ada@example.com").await;
    let refused = client
        .post("/users", &json!({"name": "Eve", "email": "eve@example.com"}))
        .await;
    refused.is(422, "idempotency_key_reused");
    assert_eq!(refused.json()["detail"][0]["loc"], json!(["header", "Idempotency-Key"]));
    assert_eq!(app.count_users().await, 1);
    let path = format!("/users/{id}");
    let patch = json!({"name": "Ada King"});
    assert_eq!(
        client
            .clone()
            .with("if-match", "\"1\"")
            .patch(&path, &patch)
            .await
            .status,
        StatusCode::OK
    );
    client
        .clone()
        .with("if-match", "\"2\"")
        .patch(&path, &patch)
        .await
        .is(422, "idempotency_key_reused");
}

#[on_both]
async fn a_key_belongs_to_its_caller_and_address(db: TestDb) {
    let app = TestApp::with(db, &[("SIGN_UP", "open")]).await;
    let one = keyed(&app.all_scopes().await);
    let id = one.sign_up("ada@example.com").await;
    assert_eq!(one.patch(&format!("/users/{id}"), &ada()).await.status, StatusCode::OK);
    for other in [
        app.all_scopes().await,
        app.anonymous(),
        app.anonymous().from("198.51.100.1"),
    ] {
        keyed(&other).post("/users", &ada()).await.is(409, "email_exists");
    }
    let nobody = app.anonymous().with("authorization", "Bearer uak_nonsense");
    keyed(&nobody)
        .post("/users", &ada())
        .await
        .is(401, "invalid_credential");
    assert_eq!(rows(&app).await.len(), 5);
}

#[on_both]
async fn a_malformed_key_is_told(db: TestDb) {
    let app = TestApp::start(db).await;
    let client = app.all_scopes().await;
    let too_long = "x".repeat(256);
    for bad in ["", "two words", "ü", "tab\there", &too_long] {
        let answer = client.clone().with("idempotency-key", bad).post("/users", &ada()).await;
        assert_eq!(
            answer.faults(),
            [("value_error".to_owned(), json!(["header", "Idempotency-Key"]))],
            "{bad:?}"
        );
    }
    keyed(&keyed(&client))
        .post("/users", &ada())
        .await
        .is(422, "invalid_request");
    assert_eq!(app.count_users().await, 0);
    for good in ["\"quoted\"", "x", &"x".repeat(255), "' OR 1=1;--"] {
        let good = good.replace(' ', "+");
        let email = json!({"name": "Ada", "email": format!("a{}@example.com", good.len())});
        assert_eq!(
            client
                .clone()
                .with("idempotency-key", &good)
                .post("/users", &email)
                .await
                .status,
            StatusCode::CREATED
        );
    }
}

#[on_both]
async fn refusals_are_kept_and_failures_are_not(db: TestDb) {
    let app = TestApp::start(db).await;
    let client = app.all_scopes().await;
    client.sign_up("ada@example.com").await;
    let keyed = keyed(&client);
    let first = keyed.post("/users", &ada()).await;
    first.is(409, "email_exists");
    let strict = keyed
        .clone()
        .with("accept", "application/problem+json")
        .post("/users", &ada())
        .await;
    assert_eq!(
        (strict.status, is_replay(&strict), strict.body),
        (StatusCode::CONFLICT, true, first.body)
    );
    let weak = app.key(&[Scope::USERS_READ]).await.with("idempotency-key", "k2");
    for _ in 0..2 {
        let refused = weak.post("/users", &ada()).await;
        refused.is(403, "insufficient_scope");
        assert!(!is_replay(&refused));
    }
    assert_eq!(rows(&app).await.len(), 1);
}

#[on_both]
async fn refused_input_leaves_nothing_behind(db: TestDb) {
    let app = TestApp::with(db, &[("SIGN_UP", "open"), ("RATE_LIMITS", "anonymous=30/h")]).await;
    let stranger = app.anonymous();
    let mut refused = Vec::new();
    for number in 0..5 {
        let client = stranger.clone().with("idempotency-key", &format!("stranger-{number}"));
        for (path, body) in [
            ("/users", json!({"name": ""})),
            (
                "/auth/sign-up",
                json!({"name": "Ada", "email": "ada", "password": "password1234"}),
            ),
            (
                "/auth/password-reset/confirm",
                json!({"token": "umt_x", "password": PASSWORD}),
            ),
            ("/auth/mfa", json!({"mfa_token": "umf_x", "code": "000000"})),
        ] {
            refused.push(client.post(path, &body).await.status.as_u16());
        }
        refused.push(client.post_text("/users", "no JSON").await.status.as_u16());
    }
    let keyed = app.all_scopes().await.with("idempotency-key", "known");
    refused.push(keyed.post("/users", &json!({"name": ""})).await.status.as_u16());
    assert!(refused.iter().all(|status| [400, 422].contains(status)), "{refused:?}");
    assert!(rows(&app).await.is_empty());
    // What was refused may be sent better under the same key.
    let better = keyed.post("/users", &ada()).await;
    assert_eq!((better.status, is_replay(&better)), (StatusCode::CREATED, false));

    app.take_statements();
    for number in 0..10 {
        let client = stranger.clone().with("idempotency-key", &format!("more-{number}"));
        let answer = client.post("/users", &json!({"name": ""})).await;
        assert_eq!(answer.status.as_u16(), if number < 5 { 422 } else { 429 });
    }
    let written = app
        .take_statements()
        .iter()
        .filter(|sql| sql.starts_with("INSERT"))
        .count();
    assert_eq!(written, 5, "who comes too often is refused before a row is written");
}

#[on_both]
async fn a_request_that_still_runs_is_not_run_again(db: TestDb) {
    let app = TestApp::start(db).await;
    let client = keyed(&app.all_scopes().await);
    client.post("/users", &ada()).await;
    rewrite(&app, |row| {
        (row.status, row.body, row.headers) = (Set(None), Set(None), Set(None))
    })
    .await;
    let refused = client.post("/users", &ada()).await;
    refused.is(409, "idempotency_in_progress");
    assert_eq!(refused.header("retry-after"), "1");
    client
        .post("/users", &json!({"name": "Eve"}))
        .await
        .is(422, "idempotency_key_reused");
}

#[on_both]
async fn the_key_of_a_process_that_died_is_taken_over(db: TestDb) {
    let app = TestApp::start(db).await;
    let client = keyed(&app.all_scopes().await);
    client.post("/users", &ada()).await;
    rewrite(&app, |row| {
        (row.status, row.created_at) = (Set(None), Set(now() - TimeDelta::seconds(61)));
    })
    .await;
    client
        .post("/users", &json!({"name": "Eve"}))
        .await
        .is(422, "idempotency_key_reused");
    client.post("/users", &ada()).await.is(409, "email_exists");
    assert!(
        is_replay(&client.post("/users", &ada()).await),
        "what came of it is kept"
    );
    assert_eq!(app.count_users().await, 1);
}

#[on_both]
async fn after_a_day_a_key_is_new(db: TestDb) {
    let app = TestApp::start(db).await;
    let client = keyed(&app.all_scopes().await);
    client.sign_up("ada@example.com").await;
    rewrite(&app, |row| row.expires_at = Set(now())).await;
    assert!(client.sign_up("eve@example.com").await > 1);
    assert_eq!(rows(&app).await.len(), 1);
    assert!(rows(&app).await[0].expires_at > now() + TimeDelta::hours(23));
}

#[on_both]
async fn secrets_in_answers_are_never_stored(db: TestDb) {
    let app = TestApp::with(db, &[("STAFF_MFA", "optional")]).await;
    let client = keyed(&app.superuser().await.client);
    let body = json!({"name": "crm", "scopes": ["users:read"]});
    let first = client.post("/api-keys", &body).await;
    assert_eq!(
        (first.status, first.header("cache-control")),
        (StatusCode::CREATED, "no-store"),
        "{}",
        first.text()
    );
    let again = client.post("/api-keys", &body).await;
    again.is(409, "answer_not_kept");
    assert_eq!(again.header("location"), first.header("location"));
    let row = &rows(&app).await[0];
    assert!(
        row.body.is_none() && !format!("{:?}", row.headers).contains("uak_"),
        "{row:?}"
    );
}

#[on_both]
async fn tokens_are_asked_for_again_without_it(db: TestDb) {
    let app = TestApp::start(db).await;
    app.member("ada@example.com").await;
    let client = keyed(&app.anonymous());
    let body = json!({"email": "ada@example.com", "password": PASSWORD});
    let first = client.post("/auth/login", &body).await;
    assert_eq!(client.post("/auth/login", &body).await.status, StatusCode::OK);
    let refresh = json!({"refresh_token": first.json()["refresh_token"]});
    let refreshed = client.post("/auth/refresh", &refresh).await;
    assert_eq!(
        client.post("/auth/refresh", &refresh).await.json(),
        refreshed.json(),
        "the answer was lost"
    );
    assert_eq!(session::Entity::find().count(&app.context.db).await.unwrap(), 2);
    assert!(rows(&app).await.is_empty());
}

#[on_both]
async fn two_hundred_at_once_make_one_user_and_one_body(db: TestDb) {
    let app = TestApp::with(db, &[("RATE_LIMITS", "off")]).await;
    let client = keyed(&app.all_scopes().await);
    let until_answered = async || loop {
        let answer = client.post("/users", &ada()).await;
        if answer.status != StatusCode::CONFLICT {
            return answer;
        }
        answer.is(409, "idempotency_in_progress");
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    let answers = join_all((0..200).map(|_| until_answered())).await;
    assert!(
        answers
            .iter()
            .all(|answer| answer.status == StatusCode::CREATED && answer.body == answers[0].body)
    );
    assert_eq!(answers.iter().filter(|answer| !is_replay(answer)).count(), 1);
    assert_eq!((app.count_users().await, rows(&app).await.len()), (1, 1));
}

/// A hash without a key would let whoever reads the table try passwords at leisure.
#[on_both]
async fn what_is_kept_of_a_request_says_nothing_of_its_body(db: TestDb) {
    let app = TestApp::start(db).await;
    let other = TestApp::start(TestDb::sqlite().await).await;
    for app in [&app, &other] {
        keyed(&app.all_scopes().await).sign_up("ada@example.com").await;
    }
    assert_ne!(
        rows(&app).await[0].fingerprint,
        rows(&other).await[0].fingerprint,
        "each has its SECRET_KEY"
    );
}

/// On PostgreSQL alone: SQLite's one writer would hold up the reservation as well.
#[test]
fn a_client_that_hangs_up_finds_the_answer_when_it_comes_back() {
    run(async {
        let app = TestApp::start(TestDb::postgres().await).await;
        let client = keyed(&app.all_scopes().await);
        let blocker = app.context.db.begin().await.unwrap();
        let rival = usher_shared::foundation::rules::Email::parse("ada@example.com", Default::default()).unwrap();
        let name = usher_shared::foundation::rules::Name::parse("Rival").unwrap();
        usher_shared::accounts::users::create_superuser(&blocker, &name, &rival, String::new())
            .await
            .unwrap();
        let body = ada();
        let hung_up = tokio::time::timeout(Duration::from_millis(500), client.post("/users", &body)).await;
        assert!(hung_up.is_err(), "the unique index makes it wait for the rival");
        client.post("/users", &ada()).await.is(409, "idempotency_in_progress");
        blocker.rollback().await.unwrap();
        eventually(Duration::from_secs(10), "the answer is kept", async || {
            rows(&app).await[0].status
        })
        .await;
        let answer = client.post("/users", &ada()).await;
        assert_eq!((answer.status, is_replay(&answer)), (StatusCode::CREATED, true));
    });
}
