//! What stands beside an object's form: the rows of other models that belong to it, page by page.

use axum::http::StatusCode;
use sea_orm::EntityTrait;
use usher_shared::{
    accounts::api_keys::{self, Scope},
    foundation::entity::api_key,
};
use usher_testkit::{TestDb, on_both};

use crate::app::{Page, TestApp, between};

/// The texts of the links in the first column of an inline.
fn rows(page: &Page, anchor: &str) -> Vec<String> {
    let panel = between(&page.body, &format!("id=\"{anchor}\">"), "</section>");
    let rows = panel.split("<tr><td>").skip(1);
    rows.map(|row| between(row, "\">", "</a>").to_owned()).collect()
}

/// The address of the link with this text in an inline.
fn link(page: &Page, anchor: &str, text: &str) -> Option<String> {
    let panel = between(&page.body, &format!("id=\"{anchor}\">"), "</section>");
    let before = panel
        .split(&format!("\">{text}</a>"))
        .next()
        .filter(|before| before.len() < panel.len())?;
    before
        .rsplit("href=\"")
        .next()
        .map(|href| href.split('#').next().unwrap_or_default().to_owned())
}

#[on_both]
async fn rows_that_belong_to_an_object_are_paged_beside_it(db: TestDb) {
    let app = TestApp::start(db).await;
    let db = &app.context.db;
    for number in 1..=12 {
        api_keys::create(
            db,
            &format!("Key {number}"),
            &[Scope::USERS_READ],
            None,
            Some(app.admin.id),
        )
        .await
        .unwrap();
    }
    api_keys::create(db, "Somebody else's", &[Scope::USERS_READ], None, None)
        .await
        .unwrap();
    assert_eq!(api_key::Entity::find().all(db).await.unwrap().len(), 13);
    let mut boss = app.superuser().await;
    let here = format!("/admin/users/{}", app.admin.id);
    let (mut seen, mut at, mut pages) = (vec![], here.clone(), 0);
    loop {
        app.take_statements();
        let page = boss.get(&at).await;
        assert_eq!(page.status, StatusCode::OK, "{at}");
        assert!(app.take_statements().len() <= 4);
        seen.extend(rows(&page, "api_keys"));
        pages += 1;
        assert_eq!(link(&page, "api_keys", "Newest").is_some(), pages > 1);
        match link(&page, "api_keys", "Older") {
            Some(older) => at = older,
            None => break,
        }
    }
    let all: Vec<_> = (1..=12).rev().map(|number| format!("Key {number}")).collect();
    assert_eq!((seen, pages), (all, 3));
    for hostile in ["x", "'", "%00", "99999999999999999999"] {
        let page = boss.get(&format!("{here}?api_keys.created_by={hostile}")).await;
        assert_eq!(
            (page.status, rows(&page, "api_keys").len()),
            (StatusCode::OK, 5),
            "{hostile}"
        );
    }
}

#[on_both]
async fn an_inline_takes_the_permission_of_its_model(db: TestDb) {
    let app = TestApp::start(db).await;
    let ada = app.add_user("ada@example.org", "Ada").await;
    let here = format!("/admin/users/{}", ada.id);
    let all = app.superuser().await.get(&here).await;
    for anchor in ["mails", "jobs", "sessions", "api_keys", "audit"] {
        assert!(all.has(&format!("id=\"{anchor}\">")), "{anchor}");
    }
    let some = app.staff(&["users.view", "jobs.view"]).await.get(&here).await;
    assert_eq!(rows(&some, "jobs"), ["welcome_email"]);
    for anchor in ["mails", "sessions", "api_keys", "audit"] {
        assert!(!some.has(&format!("id=\"{anchor}\">")), "{anchor}");
    }
}
