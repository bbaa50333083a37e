//! Whatever found its way into a column is shown as text, on every page that shows it.

use axum::http::{StatusCode, header};
use sea_orm::{ActiveModelTrait, ActiveValue::Set, ConnectionTrait, EntityTrait};
use usher_shared::{
    accounts::api_keys::{self, Scope},
    foundation::{
        entity::{job, mail, role, user},
        time::now,
    },
    jobs::{Schedule, VerifyEmail, mail_suppressions},
};
use usher_testkit::{TestDb, on_both};

use crate::app::TestApp;

/// Breaks out of text, of attributes in either quotes, of a comment and of a script.
const MARKUP: &str = "</script>--><img src=x onerror=alert(1)>\"'`&lt;";
/// What is left of it where it is shown as text.
const SHOWN: &str = "&#60;img src=x onerror=alert(1)&#62;";

/// Every column that holds free words: what the rules would refuse is put there past them.
const COLUMNS: [(&str, &[&str]); 14] = [
    ("users", &["name", "lock_reason", "external_id", "email"]),
    ("roles", &["name", "description"]),
    ("api_keys", &["name", "hint", "allowed_cidrs"]),
    ("sessions", &["address", "user_agent", "end_reason"]),
    ("jobs", &["queue", "kind", "worker", "actor", "last_error"]),
    ("job_attempts", &["outcome", "error", "worker"]),
    ("job_schedules", &["name", "queue", "kind"]),
    ("job_queues", &["name", "paused_by"]),
    ("job_files", &["name"]),
    ("mails", &["kind", "subject", "to_address", "answer", "text_body"]),
    ("mail_suppressions", &["answer"]),
    ("mail_breakers", &["server", "reason"]),
    ("mfa_factors", &["label"]),
    ("workers", &["name", "version", "queues"]),
];

/// A row in each of them.
async fn furnish(app: &TestApp) -> user::Model {
    let ada = app.add_user("ada@example.org", "Ada").await;
    let db = &app.context.db;
    app.add_staff("sam@example.org", &["users.view"]).await;
    api_keys::create(db, "Billing", &[Scope::USERS_READ], None, Some(app.admin.id))
        .await
        .unwrap();
    app.context
        .job_store
        .declare(&[Schedule::new("nightly", "0 3 * * *", &VerifyEmail { user_id: 1 })])
        .await
        .unwrap();
    mail_suppressions::add(db, "gone@example.org", "550 no such user", None)
        .await
        .unwrap();
    app.add_factor(ada.id).await;
    let job = job::Entity::find().one(db).await.unwrap().unwrap();
    let mail = mail::ActiveModel {
        id: Set(uuid::Uuid::now_v7()),
        job_id: Set(Some(job.id)),
        kind: Set("welcome".to_owned()),
        user_id: Set(Some(ada.id)),
        to_address: Set("ada@example.org".to_owned()),
        subject: Set("Welcome".to_owned()),
        state: Set(mail::MailState::Sent),
        message_id: Set("x@y".to_owned()),
        answer: Set(Some("250 fine".to_owned())),
        created_at: Set(now()),
        ..Default::default()
    };
    mail.insert(db).await.unwrap();
    for sql in [
        "INSERT INTO job_queues (name) VALUES ('extra')".to_owned(),
        format!("INSERT INTO audit_log (at, actor_kind, actor_label, action, object_type, object_id, object_label, reason, address, request_id, changes)
                 VALUES ('2026-01-01T00:00:00.000000+00:00', 'user', '{0}', '{0}', 'user', '{1}', '{0}', '{0}', '{0}', '{0}', '{{\"name\": [\"<img src=x onerror=alert(1)>\", \"b\"]}}')",
                MARKUP.replace('\'', "''"), ada.id),
    ] {
        db.execute_unprepared(&sql).await.unwrap();
    }
    ada
}

#[on_both]
async fn stored_markup_is_text_wherever_it_is_shown(db: TestDb) {
    let app = TestApp::start(db).await;
    let ada = furnish(&app).await;
    let mut boss = app.superuser().await;
    boss.get("/admin/").await;
    let markup = MARKUP.replace('\'', "''");
    for (table, columns) in COLUMNS {
        for column in columns {
            // The superuser stays who they are, and unique words stay apart.
            let but = if table == "users" {
                format!(" WHERE id = {}", ada.id)
            } else {
                String::new()
            };
            let sql = format!("UPDATE {table} SET {column} = '{markup}' || COALESCE({column}, ''){but}");
            app.context
                .db
                .execute_unprepared(&sql)
                .await
                .unwrap_or_else(|error| panic!("{sql}: {error}"));
        }
    }
    let mut paths: Vec<String> = [
        "/admin/",
        "/admin/search?q=img",
        "/admin/search?q=%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E",
        "/admin/users?q=%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E",
        "/admin/jobs/overview",
        "/admin/account",
        "/admin/users/import",
        "/admin/users/new?name=%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E",
        "/admin/reauthenticate?next=/admin/%22%3E%3Cimg%20src=x%20onerror=alert(1)%3E",
    ]
    .map(str::to_owned)
    .to_vec();
    let id = ada.id;
    for action in ["lock", "set_roles", "reset_mfa", "impersonate", "delete"] {
        paths.push(format!("/admin/users/actions?action={action}&id={id}&from_object={id}"));
    }
    paths.push(format!("/admin/users/{id}/delete"));
    for model in [
        "users",
        "roles",
        "sessions",
        "api_keys",
        "jobs",
        "schedules",
        "queues",
        "mails",
        "suppressions",
        "breakers",
        "audit",
    ] {
        let list = boss.get(&format!("/admin/{model}?_facets=yes")).await;
        for path in list.object_paths() {
            paths.extend([format!("{path}/history"), path]);
        }
        paths.push(format!("/admin/{model}?_facets=yes"));
    }
    let role = role::Entity::find().one(&app.context.db).await.unwrap().unwrap().id;
    paths.extend([
        format!("/admin/roles/{role}/delete"),
        format!("/admin/users?role={role}"),
    ]);
    let mut shown = 0;
    for path in &paths {
        let page = boss.get(path).await;
        let fine = [StatusCode::OK, StatusCode::NOT_FOUND].contains(&page.status);
        assert!(fine, "{path}: {}", page.status);
        assert!(!page.has("<img src=x"), "{path}: {}", page.body);
        // Nothing in an attribute either: what is left of its quotes is written as entities.
        assert!(!page.has("onerror=alert(1)>"), "{path}");
        shown += usize::from(page.has(SHOWN));
    }
    assert!(shown >= 30, "{shown} of {} pages show it", paths.len());
    let suggested = boss.get("/admin/users/autocomplete?q=ada").await;
    assert_eq!(suggested.headers[header::CONTENT_TYPE], "application/json");
    assert_eq!(suggested.headers[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
}
