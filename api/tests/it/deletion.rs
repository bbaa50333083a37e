//! An owner wants the account gone, and may think better of it for a week.

use axum::http::StatusCode;
use chrono::Duration;
use sea_orm::EntityTrait;
use serde_json::json;
use usher_shared::{
    accounts::{mail_tokens::LinkPurpose, users},
    foundation::{entity::job, time::now},
};
use usher_testkit::{TestDb, on_both};

use crate::{app::TestApp, people::PASSWORD};

#[on_both]
async fn an_account_goes_after_a_week_unless_its_owner_keeps_it(db: TestDb) {
    let app = TestApp::start(db).await;
    let ada = app.person("ada@example.com").await;
    let answer = ada.client.delete("/me").await;
    assert_eq!(answer.status, StatusCode::ACCEPTED);
    let due = app.stored(ada.id).await.delete_at.unwrap();
    assert!((now() + Duration::days(7) - due).abs() < Duration::minutes(5));
    assert_eq!(
        ada.client.get("/me").await.json()["delete_at"],
        answer.json()["delete_at"],
        "the account works until then"
    );
    assert_eq!(
        ada.client.delete("/me").await.json(),
        answer.json(),
        "asking again changes nothing"
    );
    let jobs = job::Entity::find().all(&app.context.db).await.unwrap();
    assert_eq!(jobs.len(), 2);
    assert!(jobs.iter().any(|job| job.kind == "deletion_scheduled"));
    assert!(jobs.iter().any(|job| job.kind == "delete_account" && job.run_at == due));
    let delete = async || {
        let tx = app.context.job_store.begin().await.unwrap();
        let deleted = users::delete_if_due(&tx, ada.id).await.unwrap();
        tx.commit().await.unwrap();
        deleted
    };
    assert!(!delete().await, "it is not due");

    let token = app.mailed(ada.id, LinkPurpose::CANCEL_DELETION, &ada.email).await;
    let page = app.elsewhere().submit("/keep-account", &[("token", &token)]).await;
    assert!(
        page.status == StatusCode::OK && page.text().contains("Your account will not be deleted"),
        "{}",
        page.text()
    );
    assert_eq!(app.stored(ada.id).await.delete_at, None);
    app.elsewhere()
        .post("/auth/keep-account", &json!({"token": token}))
        .await
        .is(400, "token_invalid");
    assert!(!delete().await, "its owner has thought better of it");

    ada.client.delete("/me").await;
    let token = app.mailed(ada.id, LinkPurpose::CANCEL_DELETION, &ada.email).await;
    app.sql("UPDATE users SET delete_at = created_at").await;
    assert!(delete().await);
    assert!(app.stored(ada.id).await.deleted_at.is_some());
    ada.client.get("/me").await.is(401, "invalid_credential");
    app.log_in(&ada.email, PASSWORD).await.is(401, "login_failed");
    app.elsewhere()
        .post("/auth/keep-account", &json!({"token": token}))
        .await
        .is(400, "token_invalid");
    for (action, count) in [("schedule_deletion", 2), ("keep_account", 1), ("delete", 1)] {
        assert_eq!(app.noted(action).await.len(), count, "{action}");
    }
}

#[on_both]
async fn staff_do_not_delete_themselves_here(db: TestDb) {
    let app = TestApp::start(db).await;
    let ada = app.person("ada@example.com").await;
    app.sql("UPDATE users SET is_staff = true").await;
    ada.client.delete("/me").await.is(403, "staff_protected");
}
