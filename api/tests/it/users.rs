//! `GET /users/{id}`: who sees what, and when nothing is sent again.

use axum::http::StatusCode;
use sea_orm::{ActiveModelTrait, ActiveValue::Set, IntoActiveModel, ModelTrait};
use serde_json::json;
use usher_shared::{
    accounts::{api_keys::Scope, users},
    foundation::{entity::user, time::now},
};
use usher_testkit::{TestDb, on_both};

use crate::app::TestApp;

async fn row(app: &TestApp, email: &str) -> user::Model {
    users::find_by_email_key(&app.context.db, email).await.unwrap().unwrap()
}

#[on_both]
async fn readers_see_the_user_whole_and_writers_its_basics(db: TestDb) {
    let app = TestApp::start(db).await;
    let writer = app.key(&[Scope::USERS_WRITE]).await;
    let made = writer
        .post("/users", &json!({"name": "Ada", "email": "ada@example.com", "age": 36}))
        .await
        .json();
    let at = format!("/users/{}", made["id"]);
    assert_eq!(writer.get(&at).await.json(), made);
    let seen = app.key(&[Scope::USERS_READ]).await.get(&at).await;
    assert_eq!(seen.status, StatusCode::OK);
    let mut whole = made.clone();
    let more = json!({"age": 36, "status": "active", "verified": false, "external_id": null, "updated_at": made["created_at"]});
    whole.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    assert_eq!(seen.json(), whole);
    assert_eq!(
        (seen.header("cache-control"), seen.header("vary")),
        ("private, no-cache", "authorization")
    );
}

#[on_both]
async fn an_unchanged_user_is_not_sent_again(db: TestDb) {
    let app = TestApp::start(db).await;
    let client = app.all_scopes().await;
    let at = format!("/users/{}", client.sign_up("ada@example.com").await);
    let tag = client.get(&at).await.header("etag").to_owned();
    for known in [tag.clone(), format!("W/{tag}"), format!("\"x\", {tag}"), "*".to_owned()] {
        let answer = client.clone().with("if-none-match", &known).get(&at).await;
        assert_eq!(answer.status, StatusCode::NOT_MODIFIED, "{known}");
        assert_eq!((answer.header("etag"), answer.body.len()), (&*tag, 0));
    }
    let mut changed = row(&app, "ada@example.com").await.into_active_model();
    changed.name = Set("Augusta".to_owned());
    changed.version = Set(2);
    changed.update(&app.context.db).await.unwrap();
    let answer = client.clone().with("if-none-match", &tag).get(&at).await;
    assert_eq!((answer.status, answer.header("etag")), (StatusCode::OK, "\"2\""));
}

#[on_both]
async fn who_is_not_there_is_404(db: TestDb) {
    let app = TestApp::start(db).await;
    let client = app.all_scopes().await;
    let deleted = format!("/users/{}", client.sign_up("ada@example.com").await);
    let mut row = row(&app, "ada@example.com").await.into_active_model();
    row.deleted_at = Set(Some(now()));
    row.update(&app.context.db).await.unwrap();
    for path in [
        &*deleted,
        "/users/9007199254740991",
        "/users/9223372036854775807",
        "/users/9223372036854775808",
        "/users/-9223372036854775809",
        "/users/99999999999999999999999999999999",
        "/users/0",
        "/users/-1",
        "/users/%39",
    ] {
        let answer = client.get(path).await;
        answer.is(404, "user_not_found");
        assert_eq!(answer.json()["detail"], "User not found", "{path}");
    }
}

#[on_both]
async fn an_id_that_is_no_whole_number_is_422(db: TestDb) {
    let app = TestApp::start(db).await;
    let client = app.all_scopes().await;
    for id in [
        "abc", "42.5", "1e3", "0x10", "1_000", "%20", "%00", "%FF", "1%2F2", "١", "--1", "+", "null", "1,2",
    ] {
        let faults = client
            .get(&format!("/users/{}", id.replace('١', "%D9%A1")))
            .await
            .faults();
        assert_eq!(faults, [("int_parsing".to_owned(), json!(["path", "id"]))], "{id}");
    }
}

#[on_both]
async fn a_slash_at_the_end_and_head_are_answered(db: TestDb) {
    let app = TestApp::start(db).await;
    let client = app.all_scopes().await;
    let made = client
        .post("/users/", &json!({"name": "Ada", "email": "ada@example.com"}))
        .await;
    assert_eq!(made.status, StatusCode::CREATED);
    let at = made.header("location").to_owned();
    let whole = client.get(&at).await;
    assert_eq!(client.get(&format!("{at}/")).await.body, whole.body);
    let head = client.head(&at).await;
    assert_eq!((head.status, head.body.len()), (StatusCode::OK, 0));
    assert_eq!(head.header("etag"), whole.header("etag"));
    assert_eq!(head.header("content-length"), whole.body.len().to_string());
    client.get(&format!("{at}//")).await.is(404, "not_found");
}

#[on_both]
async fn a_user_can_be_removed_while_its_jobs_stay(db: TestDb) {
    let app = TestApp::start(db).await;
    let client = app.all_scopes().await;
    let id = client.sign_up("ada@example.com").await;
    row(&app, "ada@example.com")
        .await
        .delete(&app.context.db)
        .await
        .unwrap();
    client.get(&format!("/users/{id}")).await.is(404, "user_not_found");
}
