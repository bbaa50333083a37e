//! The columns of a list, chosen by each person for themselves.

use axum::http::StatusCode;
use usher_testkit::{TestDb, on_both};

use crate::app::{Page, TestApp};

/// The headings of the list's columns.
fn heads(page: &Page) -> Vec<String> {
    let heads = page.body.split("role=\"columnheader\"").skip(1);
    let text = |head: &str| {
        let inner = head.split("</th>").next().unwrap_or_default();
        let text: Vec<_> = inner
            .split('<')
            .filter_map(|part| part.split_once('>'))
            .map(|(_, text)| text.trim())
            .collect();
        text.concat()
    };
    heads.map(text).filter(|head| head != "Select").collect()
}

#[on_both]
async fn columns_are_chosen_per_person_and_kept(db: TestDb) {
    let app = TestApp::start(db).await;
    app.add_user("ada@example.org", "Ada").await;
    let mut boss = app.superuser().await;
    let usual = heads(&boss.get("/admin/users").await);
    assert_eq!(usual, ["Email", "Name", "Age", "Status", "Last sign-in", "Created"]);
    let chosen = [
        ("column", "name"),
        ("column", "email_verified_at"),
        ("column", "id"),
        ("_list", "o=name"),
    ];
    let page = boss.post("/admin/users/columns", &chosen).await;
    assert_eq!(page.location(), "/admin/users?o=name", "the list stays as it was");
    assert_eq!(
        heads(&boss.get("/admin/users").await),
        ["Email", "ID", "Name", "Email verified"],
        "what names a user stays"
    );
    // It is the person's, wherever they sign in, and nobody else's; other lists are as before.
    assert_eq!(heads(&app.superuser().await.get("/admin/users").await).len(), 4);
    let mut other = app.staff(&["users.view", "jobs.view"]).await;
    assert_eq!(heads(&other.get("/admin/users").await), usual);
    assert_eq!(heads(&boss.get("/admin/jobs").await)[0], "Kind");
    app.take_statements();
    boss.get("/admin/users").await;
    let statements = app.take_statements();
    assert!(statements.len() <= 4, "{statements:#?}");
    boss.post("/admin/users/columns", &[("_declared", "yes")]).await;
    assert_eq!(heads(&boss.get("/admin/users").await), usual);
}

#[on_both]
async fn only_what_staff_may_see_becomes_a_column(db: TestDb) {
    let app = TestApp::start(db).await;
    let mut boss = app.superuser().await;
    boss.get("/admin/users").await;
    let hostile = [
        ("column", "password_hash"),
        ("column", "email_key"),
        ("column", "version"),
        ("column", "no' OR 1=1 --"),
        ("column", "age"),
    ];
    boss.post("/admin/users/columns", &hostile).await;
    let page = boss.get("/admin/users").await;
    assert_eq!(heads(&page), ["Email", "Age"]);
    assert!(
        !page.has("value=\"password_hash\"") && !page.has("argon2"),
        "{}",
        page.body
    );
    let mut stranger = app.staff(&["jobs.view"]).await;
    stranger.get("/admin/jobs").await;
    assert_eq!(
        stranger.post("/admin/users/columns", &[("column", "age")]).await.status,
        StatusCode::FORBIDDEN
    );
}
