//! Mails: their bodies are shown only where they are kept, in a cage, and without what their links carry. Superusers
//! see the links on a page of their own, and each look is on record.

use axum::http::{StatusCode, header};
use sea_orm::{ActiveModelTrait, ActiveValue::Set};
use serde_json::json;
use usher_shared::{
    foundation::{
        entity::{
            job_attempt,
            mail::{self, MailState},
        },
        time::now,
        token::{Token, TokenKind},
    },
    jobs::{VerifyEmail, enqueue},
};
use usher_testkit::{TestDb, on_both};
use uuid::Uuid;

use crate::app::TestApp;

/// The link of a kept mail.
fn link(token: &Token) -> String {
    format!("http://127.0.0.1:8000/reset-password?token={}", token.as_str())
}

async fn mail(app: &TestApp, token: &Token) -> mail::Model {
    let link = link(token);
    let row = mail::ActiveModel {
        id: Set(Uuid::now_v7()),
        job_id: Set(None),
        kind: Set("password_reset".to_owned()),
        user_id: Set(Some(app.admin.id)),
        to_address: Set("ada@example.org".to_owned()),
        subject: Set("Welcome <Ada>".to_owned()),
        state: Set(MailState::Kept),
        message_id: Set("<1@usher>".to_owned()),
        answer: Set(None),
        text_body: Set(Some(format!("Set it at {link}\nuntil five o'clock."))),
        html_body: Set(Some(format!(
            "<p>Hello</p><script>alert(1)</script><a href=\"{link}\">{link}</a>"
        ))),
        created_at: Set(now()),
        sent_at: Set(None),
    };
    row.insert(&app.context.db).await.unwrap()
}

#[on_both]
async fn a_kept_mail_is_shown_in_a_frame_where_nothing_runs(db: TestDb) {
    let app = TestApp::start(db).await;
    let token = Token::generate(TokenKind::Mail);
    let mail = mail(&app, &token).await;
    let mut visitor = app.superuser().await;
    let list = visitor.get("/admin/mails").await;
    assert!(list.has("Welcome &#60;Ada&#62;") && list.has("ada@example.org"));
    let page = visitor.get(&format!("/admin/mails/{}", mail.id)).await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(page.has("http://127.0.0.1:8000/reset-password?…") && page.has("until five") && !page.has(token.as_str()));
    assert!(page.has("sandbox=") && !page.has("<script>alert"));
    let body = visitor.get(&format!("/admin/mails/{}/body", mail.id)).await;
    assert_eq!(body.status, StatusCode::OK);
    assert!(body.has("<p>Hello</p>") && body.has("reset-password?…") && !body.has(token.as_str()));
    let policy = body.policy();
    assert!(
        policy.contains("sandbox")
            && policy.contains("default-src 'none'")
            && policy.contains("frame-ancestors 'self'")
    );
    assert!(
        !policy.contains("script-src") && !policy.contains("allow-scripts"),
        "{policy}"
    );
    assert_eq!(body.headers[header::CACHE_CONTROL], "no-store");
}

#[on_both]
async fn links_are_shown_to_superusers_alone_and_each_look_is_on_record(db: TestDb) {
    let app = TestApp::start(db).await;
    let token = Token::generate(TokenKind::Mail);
    let mail = mail(&app, &token).await;
    let links = format!("/admin/mails/{}/links", mail.id);
    let mut boss = app.superuser().await;
    assert!(boss.get(&format!("/admin/mails/{}", mail.id)).await.has(&links));
    assert!(app.audit().await.iter().all(|row| row.action != "view_links"));
    let page = boss.get(&links).await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(
        page.has(&format!("href=\"{}\"", link(&token))) && page.has("This view was logged under your name"),
        "{}",
        page.body
    );
    let looks: Vec<_> = app
        .audit()
        .await
        .into_iter()
        .filter(|row| row.action == "view_links")
        .collect();
    assert_eq!(looks.len(), 1);
    assert_eq!(
        (looks[0].actor_id, looks[0].object_id.clone()),
        (Some(app.admin.id), Some(mail.id.to_string()))
    );
    assert!(!format!("{looks:?}").contains(token.as_str()));
    app.let_freshness_pass().await;
    let page = boss.get(&links).await;
    assert!(
        page.status == StatusCode::UNAUTHORIZED && !page.has(token.as_str()),
        "it takes a fresh password"
    );

    let all = [
        "users.view",
        "users.export",
        "mails.view",
        "mails.export",
        "jobs.view",
        "audit.view",
        "audit.export",
    ];
    let mut staff = app.staff(&all).await;
    assert!(!staff.get(&format!("/admin/mails/{}", mail.id)).await.has(&links));
    assert_eq!(staff.get(&links).await.status, StatusCode::FORBIDDEN);
    let user = app.admin.id;
    for path in [
        format!("/admin/mails/{}", mail.id),
        format!("/admin/mails/{}/body", mail.id),
        format!("/admin/mails/{}/history", mail.id),
        format!("/admin/mails/{}/export.json", mail.id),
        "/admin/mails".to_owned(),
        "/admin/mails?q=Welcome".to_owned(),
        "/admin/mails/export.csv".to_owned(),
        "/admin/mails/export.json".to_owned(),
        "/admin/search?q=ada%40example.org".to_owned(),
        format!("/admin/users/{user}"),
        format!("/admin/users/{user}/export.json"),
        "/admin/audit".to_owned(),
        "/admin/audit/export.json".to_owned(),
    ] {
        let page = staff.get(&path).await;
        assert_eq!(page.status, StatusCode::OK, "{path}");
        assert!(
            !page.has(token.as_str()) && !page.has(&token.as_str()[4..20]),
            "{path}: {}",
            page.body
        );
    }
}

#[on_both]
async fn a_token_that_a_job_wrote_down_is_not_shown(db: TestDb) {
    let app = TestApp::start(db).await;
    let token = Token::generate(TokenKind::Mail);
    let tx = app.context.job_store.begin().await.unwrap();
    let id = enqueue(&tx, VerifyEmail { user_id: app.admin.id }).await.unwrap().id();
    tx.commit().await.unwrap();
    let told = format!("cannot send {}", link(&token));
    let row = usher_shared::foundation::entity::job::ActiveModel {
        id: Set(id),
        payload: Set(json!({"link": told})),
        result: Set(Some(json!([told]))),
        last_error: Set(Some(told.clone())),
        ..Default::default()
    };
    row.update(&app.context.db).await.unwrap();
    let attempt = job_attempt::ActiveModel {
        job_id: Set(id),
        attempt: Set(1),
        outcome: Set(job_attempt::AttemptOutcome::Failed),
        error: Set(told),
        finished_at: Set(now()),
        ..Default::default()
    };
    attempt.insert(&app.context.db).await.unwrap();
    let mut boss = app.superuser().await;
    for path in [
        format!("/admin/jobs/{id}"),
        format!("/admin/jobs/{id}/export.json"),
        "/admin/jobs/export.csv".to_owned(),
    ] {
        let page = boss.get(&path).await;
        assert!(
            page.status == StatusCode::OK && page.has("cannot send"),
            "{path}: {}",
            page.body
        );
        assert!(!page.has(token.as_str()) && page.has("umt_…"), "{path}: {}", page.body);
    }
}

#[on_both]
async fn with_an_smtp_server_no_body_is_shown(db: TestDb) {
    let app = TestApp::with(db, &[("SMTP_URL", "smtp://127.0.0.1:2525")]).await;
    let token = Token::generate(TokenKind::Mail);
    let mail = mail(&app, &token).await;
    let mut visitor = app.superuser().await;
    let page = visitor.get(&format!("/admin/mails/{}", mail.id)).await;
    assert!(page.status == StatusCode::OK && !page.has("reset-password") && !page.has("<iframe"));
    for part in ["body", "links"] {
        let path = format!("/admin/mails/{}/{part}", mail.id);
        assert_eq!(visitor.get(&path).await.status, StatusCode::NOT_FOUND, "{part}");
    }
}
