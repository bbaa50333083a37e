//! Whether it is up, can work, and which version it is.

use sea_orm::ConnectionTrait;
use serde_json::json;
use usher_testkit::{Redis, TestDb, on_both};

use crate::app::TestApp;

#[on_both]
async fn it_is_live_and_ready_and_knows_its_version(db: TestDb) {
    let app = TestApp::start(db).await;
    let client = app.anonymous();
    assert_eq!(client.get("/health/live").await.json(), json!({"status": "live"}));
    assert_eq!(
        client.get("/health/ready").await.json(),
        json!({"status": "ready", "database": "ok", "redis": "off"})
    );
    assert_eq!(
        client.get("/version").await.json(),
        json!({"name": "usher", "version": env!("CARGO_PKG_VERSION")})
    );
}

#[on_both]
async fn without_its_schema_it_is_live_and_not_ready(db: TestDb) {
    let app = TestApp::start(db).await;
    app.context
        .db
        .execute_unprepared("DELETE FROM seaql_migrations WHERE version = (SELECT max(version) FROM seaql_migrations)")
        .await
        .unwrap();
    let answer = app.anonymous().get("/health/ready").await;
    assert_eq!(answer.status, 503);
    assert_eq!(
        answer.json(),
        json!({"status": "not_ready", "database": "not_migrated", "redis": "off"})
    );
    assert_eq!(app.anonymous().get("/health/live").await.status, 200);
}

#[on_both]
async fn redis_is_reported_and_not_required(db: TestDb) {
    let mut redis = Redis::start().await;
    let app = TestApp::with(db, &[("REDIS_URL", &redis.url())]).await;
    let client = app.all_scopes().await;
    assert_eq!(client.get("/health/ready").await.json()["redis"], "ok");
    redis.stop();
    let answer = client.get("/health/ready").await;
    assert_eq!(
        (answer.status.as_u16(), &answer.json()["redis"]),
        (200, &json!("unreachable"))
    );
    client.sign_up("ada@example.com").await;
}
