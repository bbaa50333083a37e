//! Mails: their bodies are shown only where they are kept, and in a cage.

use axum::http::{StatusCode, header};
use sea_orm::{ActiveModelTrait, ActiveValue::Set};
use usher_shared::{
    entity::mail::{self, MailState},
    time::now,
};
use usher_testkit::on_both;
use uuid::Uuid;

use crate::app::TestApp;

async fn mail(app: &TestApp) -> mail::Model {
    let row = mail::ActiveModel {
        id: Set(Uuid::now_v7()),
        job_id: Set(None),
        kind: Set("welcome_email".to_owned()),
        user_id: Set(Some(app.admin.id)),
        to_address: Set("ada@example.org".to_owned()),
        subject: Set("Welcome <Ada>".to_owned()),
        state: Set(MailState::Kept),
        message_id: Set("<1@usher>".to_owned()),
        answer: Set(None),
        text_body: Set(Some("Set it at http://127.0.0.1:8000/x?token=umt_secret".to_owned())),
        html_body: Set(Some("<p>Hello</p><script>alert(1)</script>".to_owned())),
        created_at: Set(now()),
        sent_at: Set(None),
    };
    row.insert(&app.house.db).await.unwrap()
}

on_both! {
    async fn a_kept_mail_is_shown_in_a_frame_where_nothing_runs(db: TestDb) {
        let app = TestApp::start(db).await;
        let mail = mail(&app).await;
        let mut visitor = app.superuser().await;
        let list = visitor.get("/admin/mails").await;
        assert!(list.has("Welcome &#60;Ada&#62;") && list.has("ada@example.org"));
        let page = visitor.get(&format!("/admin/mails/{}", mail.id)).await;
        assert_eq!(page.status, StatusCode::OK);
        assert!(page.has("umt_secret") && page.has("sandbox=") && !page.has("<script>alert"));
        let body = visitor.get(&format!("/admin/mails/{}/body", mail.id)).await;
        assert_eq!(body.status, StatusCode::OK);
        assert!(body.has("<p>Hello</p>"));
        let policy = body.policy();
        assert!(policy.contains("sandbox") && policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'self'"));
        assert!(!policy.contains("script-src") && !policy.contains("allow-scripts"), "{policy}");
        assert_eq!(body.headers[header::CACHE_CONTROL], "no-store");
    }

    async fn with_an_smtp_server_no_body_is_shown(db: TestDb) {
        let app = TestApp::with(db, &[("SMTP_URL", "smtp://127.0.0.1:2525")]).await;
        let mail = mail(&app).await;
        let mut visitor = app.superuser().await;
        let page = visitor.get(&format!("/admin/mails/{}", mail.id)).await;
        assert!(page.status == StatusCode::OK && !page.has("umt_secret") && !page.has("<iframe"));
        assert_eq!(visitor.get(&format!("/admin/mails/{}/body", mail.id)).await.status, StatusCode::NOT_FOUND);
    }
}
