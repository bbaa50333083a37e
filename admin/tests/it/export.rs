//! Lists as files: whole, filtered, safe to open, and written down.

use axum::http::{StatusCode, header};
use usher_testkit::{TestDb, on_both};

use crate::app::TestApp;

#[on_both]
async fn a_list_is_exported_as_csv_and_json_as_it_is_filtered(db: TestDb) {
    let app = TestApp::start(db).await;
    app.add_user("ada@example.org", "=cmd|' /C calc'!A0").await;
    app.add_user("bob@example.org", "Bob, \"the\" Builder").await;
    let mut boss = app.superuser().await;
    let page = boss.get("/admin/users/export.csv").await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(
        page.headers[header::CONTENT_TYPE]
            .to_str()
            .unwrap()
            .starts_with("text/csv")
    );
    assert!(
        page.headers[header::CONTENT_DISPOSITION]
            .to_str()
            .unwrap()
            .contains("attachment")
    );
    assert!(page.body.starts_with("\u{feff}id,email,"), "{}", page.body);
    assert_eq!(page.body.lines().count(), 4, "{}", page.body);
    assert!(
        page.has(",'=cmd|' /C calc'!A0,") && page.has("\"Bob, \"\"the\"\" Builder\""),
        "{}",
        page.body
    );
    assert!(
        !page.has("password_hash") && !page.has("$argon2") && !page.has("email_key"),
        "{}",
        page.body
    );
    let page = boss.get("/admin/users/export.json?q=bob").await;
    let rows: serde_json::Value = serde_json::from_str(&page.body).unwrap();
    assert_eq!(
        (rows.as_array().unwrap().len(), &rows[0]["email"]),
        (1, &serde_json::json!("bob@example.org"))
    );
    let empty = boss.get("/admin/users/export.json?q=nobody").await;
    assert_eq!(
        serde_json::from_str::<serde_json::Value>(&empty.body).unwrap(),
        serde_json::json!([])
    );
    let entry = app.audit().await.pop().unwrap();
    assert_eq!((entry.action.as_str(), entry.object_type.as_str()), ("export", "user"));
    assert_eq!(
        boss.get("/admin/users/export.csv?password_hash=x").await.status,
        StatusCode::BAD_REQUEST
    );
}

#[on_both]
async fn more_rows_than_fit_a_chunk_come_whole_and_once(db: TestDb) {
    use sea_orm::ConnectionTrait;
    let app = TestApp::start(db).await;
    let rows = (0..2_500)
        .map(|n| format!("('n{n}', '', 1, '2026-01-01T00:00:00.000000+00:00', '2026-01-01T00:00:00.000000+00:00')"));
    let sql = format!(
        "INSERT INTO roles (name, description, version, created_at, updated_at) VALUES {}",
        rows.collect::<Vec<_>>().join(",")
    );
    app.context.db.execute_unprepared(&sql).await.unwrap();
    let mut boss = app.superuser().await;
    let page = boss.get("/admin/roles/export.csv").await;
    let ids: std::collections::BTreeSet<_> = page
        .body
        .lines()
        .skip(1)
        .map(|line| line.split(',').next().unwrap())
        .collect();
    assert_eq!((ids.len(), page.body.lines().count()), (2_500, 2_501));
    let page = boss.get("/admin/roles/export.json").await;
    assert_eq!(
        serde_json::from_str::<serde_json::Value>(&page.body)
            .unwrap()
            .as_array()
            .unwrap()
            .len(),
        2_500
    );
}

#[on_both]
async fn an_object_is_exported_with_all_that_belongs_to_it(db: TestDb) {
    use sea_orm::ConnectionTrait;
    let app = TestApp::start(db).await;
    let ada = app.add_user("ada@example.org", "Ada \"<b>").await;
    let path = format!("/admin/users/{}/export.json", ada.id);
    // More than fit one piece, and those of somebody else.
    let row = |n: usize, object: i64| {
        format!("('2026-01-01T00:00:00.000000+00:00', 'system', 'test', 'step{n}', 'user', '{object}')")
    };
    let rows: Vec<_> = (0..2_500)
        .map(|n| row(n, ada.id))
        .chain([row(9_999, app.admin.id)])
        .collect();
    let sql = format!(
        "INSERT INTO audit_log (at, actor_kind, actor_label, action, object_type, object_id) VALUES {}",
        rows.join(",")
    );
    app.context.db.execute_unprepared(&sql).await.unwrap();
    let mut boss = app.superuser().await;
    assert!(boss.get(&format!("/admin/users/{}", ada.id)).await.has(&path));
    let page = boss.get(&path).await;
    assert!(
        page.headers[header::CONTENT_DISPOSITION]
            .to_str()
            .unwrap()
            .contains("attachment")
    );
    assert!(!page.has("argon2") && !page.has("token_hash") && !page.has("step9999"));
    let file: serde_json::Value = serde_json::from_str(&page.body).unwrap();
    assert_eq!(file["user"]["name"], "Ada \"<b>");
    assert_eq!(file["jobs"][0]["kind"], "welcome_email");
    for empty in ["mails", "sessions", "api_keys"] {
        assert_eq!(file[empty], serde_json::json!([]), "{empty}");
    }
    let steps: std::collections::BTreeSet<_> = file["audit"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["action"].to_string())
        .collect();
    assert_eq!(
        steps.len(),
        2_502,
        "its making, what was done to it, and this very export"
    );
    // What the person may not take away of other models is left out.
    let mut taker = app.staff(&["users.view", "users.export", "jobs.view"]).await;
    let file: serde_json::Value = serde_json::from_str(&taker.get(&path).await.body).unwrap();
    assert_eq!(file.as_object().unwrap().keys().collect::<Vec<_>>(), ["user"]);
    let mut viewer = app.staff(&["users.view"]).await;
    assert!(!viewer.get(&format!("/admin/users/{}", ada.id)).await.has("export.json"));
    assert_eq!(viewer.get(&path).await.status, StatusCode::FORBIDDEN);
    assert_eq!(
        boss.get("/admin/users/999999/export.json").await.status,
        StatusCode::NOT_FOUND
    );
}

#[on_both]
async fn taking_data_away_is_a_permission_of_its_own(db: TestDb) {
    let app = TestApp::start(db).await;
    let mut viewer = app.staff(&["users.view"]).await;
    assert!(!viewer.get("/admin/users").await.has("export.csv"));
    assert_eq!(
        viewer.get("/admin/users/export.csv").await.status,
        StatusCode::FORBIDDEN
    );
    let mut taker = app.staff(&["users.view", "users.export"]).await;
    assert!(taker.get("/admin/users").await.has("export.csv"));
    assert_eq!(taker.get("/admin/users/export.csv").await.status, StatusCode::OK);
}
