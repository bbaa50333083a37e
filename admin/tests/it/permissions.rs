//! Who may do what: denied unless a role gives it, asked on every GET and POST.

use axum::http::StatusCode;
use usher_testkit::{TestDb, on_both};

use crate::app::TestApp;

#[on_both]
async fn strangers_are_led_to_the_sign_in_everywhere(db: TestDb) {
    let app = TestApp::start(db).await;
    let mut stranger = app.anonymous();
    stranger.get("/admin/login").await;
    for model in ["users", "jobs", "mails", "audit"] {
        for path in ["", "/new", "/1", "/1/history"] {
            let path = format!("/admin/{model}{path}");
            assert!(
                stranger.get(&path).await.location().starts_with("/admin/login?next="),
                "{path}"
            );
        }
        for path in ["/new", "/1", "/actions"] {
            let path = format!("/admin/{model}{path}");
            assert!(
                stranger.post(&path, &[]).await.location().starts_with("/admin/login"),
                "{path}"
            );
        }
    }
    assert!(
        stranger
            .get("/admin/mails/1/body")
            .await
            .location()
            .starts_with("/admin/login")
    );
    assert!(stranger.get("/admin/").await.location().starts_with("/admin/login"));
}

#[on_both]
async fn staff_without_roles_see_and_do_nothing(db: TestDb) {
    let app = TestApp::start(db).await;
    let id = app.add_user("ada@example.org", "Ada").await.id;
    let mut visitor = app.staff(&[]).await;
    let dashboard = visitor.get("/admin/").await;
    assert_eq!(dashboard.status, StatusCode::OK);
    assert!(!dashboard.has("/admin/users") && !dashboard.has("ada@example.org") && !dashboard.has("Recent activity"));
    for model in ["users", "jobs", "mails", "audit"] {
        for path in [
            format!("/admin/{model}"),
            format!("/admin/{model}/{id}"),
            format!("/admin/{model}/{id}/history"),
        ] {
            assert_eq!(visitor.get(&path).await.status, StatusCode::FORBIDDEN, "{path}");
        }
    }
    assert_eq!(visitor.get("/admin/users/new").await.status, StatusCode::FORBIDDEN);
    for path in ["/admin/users/new".to_owned(), format!("/admin/users/{id}")] {
        assert_eq!(
            visitor.post(&path, &[("name", "x")]).await.status,
            StatusCode::FORBIDDEN,
            "{path}"
        );
    }
    let page = visitor
        .post("/admin/jobs/actions", &[("action", "retry"), ("id", "x")])
        .await;
    assert_eq!(page.status, StatusCode::FORBIDDEN);
    assert_eq!(visitor.get("/admin/mails/1/body").await.status, StatusCode::FORBIDDEN);
}

#[on_both]
async fn viewers_get_a_form_that_only_shows(db: TestDb) {
    let app = TestApp::start(db).await;
    let ada = app.add_user("ada@example.org", "Ada").await;
    let mut visitor = app.staff(&["users.view"]).await;
    let list = visitor.get("/admin/users").await;
    assert!(list.has("ada@example.org") && !list.has("/admin/users/new") && !list.has("href=\"/admin/jobs\""));
    let page = visitor.get(&format!("/admin/users/{}", ada.id)).await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(page.input("email").is_none() && page.input("version").is_none() && page.has("ada@example.org"));
    assert!(!page.has("welcome_email"), "jobs take their own permission");
    let fields = [
        ("version", "1"),
        ("email", "eve@example.org"),
        ("name", "Eve"),
        ("status", "active"),
    ];
    let page = visitor.post(&format!("/admin/users/{}", ada.id), &fields).await;
    assert_eq!(page.status, StatusCode::FORBIDDEN);
    assert_eq!(app.user(ada.id).await.email, "ada@example.org");
}

#[on_both]
async fn who_may_only_add_adds_and_sees_nothing(db: TestDb) {
    let app = TestApp::start(db).await;
    let ada = app.add_user("ada@example.org", "Ada").await;
    let mut visitor = app.staff(&["users.add"]).await;
    let home = visitor.get("/admin/").await;
    assert!(
        home.has("href=\"/admin/users/new\"") && !home.has("href=\"/admin/users\""),
        "{}",
        home.body
    );
    let form = visitor.get("/admin/users/new").await;
    assert_eq!(form.status, StatusCode::OK);
    assert!(
        !form.has("href=\"/admin/users\"") && !form.has("Save and continue"),
        "{}",
        form.body
    );
    for (save, to) in [
        ("list", "/admin/"),
        ("continue", "/admin/"),
        ("another", "/admin/users/new"),
    ] {
        let email = format!("{save}@example.org");
        let fields = [("name", "New"), ("email", email.as_str()), ("age", ""), ("_save", save)];
        let page = visitor.post("/admin/users/new", &fields).await;
        assert_eq!(
            (page.status, page.location()),
            (StatusCode::SEE_OTHER, to),
            "{}",
            page.body
        );
        assert!(visitor.get(to).await.has("User added"));
    }
    let taken = visitor
        .post(
            "/admin/users/new",
            &[("name", "New"), ("email", "ada@example.org"), ("age", "")],
        )
        .await;
    assert_eq!(taken.status, StatusCode::UNPROCESSABLE_ENTITY);
    let id = ada.id;
    for path in [
        "/admin/users".to_owned(),
        format!("/admin/users/{id}"),
        format!("/admin/users/{id}/history"),
        "/admin/users/999999/history".to_owned(),
        "/admin/users/autocomplete?q=ada".to_owned(),
        "/admin/users/export.csv".to_owned(),
        format!("/admin/users/{id}/export.json"),
    ] {
        assert_eq!(visitor.get(&path).await.status, StatusCode::FORBIDDEN, "{path}");
    }
    let fields = [
        ("version", "1"),
        ("email", "eve@example.org"),
        ("name", "Eve"),
        ("age", ""),
        ("status", "active"),
    ];
    assert_eq!(
        visitor.post(&format!("/admin/users/{id}"), &fields).await.status,
        StatusCode::FORBIDDEN
    );
    assert_eq!(
        visitor.post(&format!("/admin/users/{id}/delete"), &[]).await.status,
        StatusCode::FORBIDDEN
    );
    assert_eq!(app.user(id).await.email, "ada@example.org");
}

#[on_both]
async fn only_superusers_change_superusers(db: TestDb) {
    let app = TestApp::start(db).await;
    let mut visitor = app.staff(&["users.view", "users.change"]).await;
    let path = format!("/admin/users/{}", app.admin.id);
    let page = visitor.get(&path).await;
    assert!(page.has("Only superusers can change a superuser") && page.input("email").is_none());
    let fields = [
        ("version", "1"),
        ("email", "mine@example.org"),
        ("name", "Mine"),
        ("status", "deactivated"),
    ];
    assert_eq!(visitor.post(&path, &fields).await.status, StatusCode::FORBIDDEN);
    assert_eq!(app.user(app.admin.id).await.email, app.admin.email);
}

#[on_both]
async fn nobody_raises_their_own_rights_through_the_form(db: TestDb) {
    let app = TestApp::start(db).await;
    let staff = app.add_staff("sam@example.org", &["users.view", "users.change"]).await;
    let mut visitor = app.signed_in("sam@example.org").await;
    let path = format!("/admin/users/{}", staff.id);
    visitor.get(&path).await;
    let fields = [
        ("version", "1"),
        ("email", "sam@example.org"),
        ("name", "Sam"),
        ("age", ""),
        ("status", "active"),
        ("locked_until", ""),
        ("lock_reason", ""),
        ("is_superuser", "true"),
        ("is_staff", "false"),
        ("password_hash", "x"),
        ("id", "1"),
        ("email_key", "admin@example.com"),
    ];
    assert_eq!(visitor.post(&path, &fields).await.status, StatusCode::SEE_OTHER);
    let stored = app.user(staff.id).await;
    assert!(!stored.is_superuser && stored.is_staff && stored.email_key == "sam@example.org");
    assert_eq!(stored.password_hash, staff.password_hash);
}

#[on_both]
async fn models_that_are_only_read_take_no_form(db: TestDb) {
    let app = TestApp::start(db).await;
    let mut visitor = app.superuser().await;
    visitor.get("/admin/").await;
    for model in ["jobs", "mails", "audit", "nonsense"] {
        for path in [format!("/admin/{model}/new"), format!("/admin/{model}/1")] {
            assert_eq!(
                visitor.post(&path, &[("state", "done")]).await.status,
                StatusCode::NOT_FOUND,
                "{path}"
            );
        }
        assert_eq!(
            visitor.get(&format!("/admin/{model}/new")).await.status,
            StatusCode::NOT_FOUND
        );
    }
}
