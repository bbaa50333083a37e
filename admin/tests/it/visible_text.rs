//! What people are shown can be seen, in every form.

use axum::http::StatusCode;
use sea_orm::{EntityTrait, PaginatorTrait};
use usher_shared::foundation::entity::{api_key, role};
use usher_testkit::{TestDb, on_both};

use crate::app::TestApp;

#[on_both]
async fn what_cannot_be_seen_is_refused_by_forms_and_actions(db: TestDb) {
    let app = TestApp::start(db).await;
    let mut boss = app.superuser().await;
    for hidden in [
        "\u{200b}",
        "Ada\u{202e}x",
        "Ada\u{e000}",
        "Ada\u{378}",
        "\u{3164}",
        "\u{301}",
    ] {
        for (page, fields) in [
            ("/admin/roles/new", [("name", hidden), ("description", "")]),
            ("/admin/roles/new", [("name", "Support"), ("description", hidden)]),
            ("/admin/users/new", [("name", hidden), ("email", "ada@example.org")]),
            ("/admin/api_keys/new", [("name", hidden), ("scopes", "users:read")]),
        ] {
            boss.get(page).await;
            let answer = boss.post(page, &fields).await;
            assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{page} {fields:?}");
            assert!(
                answer.has("can be seen") || answer.has("cannot be shown"),
                "{page} {fields:?}: {}",
                answer.body
            );
        }
        let id = app.admin.id.to_string();
        let action = [
            ("action", "lock"),
            ("id", &id),
            ("reason", hidden),
            ("_confirmed", "yes"),
        ];
        boss.get("/admin/users").await;
        let answer = boss.post("/admin/users/actions", &action).await;
        assert!(
            answer.has("can be seen") || answer.has("cannot be shown"),
            "{hidden:?}: {}",
            answer.body
        );
    }
    assert_eq!(role::Entity::find().count(&app.context.db).await.unwrap(), 0);
    assert_eq!(api_key::Entity::find().count(&app.context.db).await.unwrap(), 0);

    boss.get("/admin/roles/new").await;
    let fields = [("name", "علی\u{200c}رضا ❤\u{fe0f}"), ("description", "made by a test")];
    boss.post("/admin/roles/new", &fields).await;
    let made = role::Entity::find().one(&app.context.db).await.unwrap().unwrap();
    assert_eq!(
        (made.name.as_str(), made.description.as_str()),
        (fields[0].1, fields[1].1)
    );
}
