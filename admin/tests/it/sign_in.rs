//! Signing in and out.

use axum::http::{StatusCode, header};
use sea_orm::{ActiveModelTrait, ActiveValue::Set, EntityTrait, IntoActiveModel};
use usher_shared::foundation::{
    entity::{
        session,
        user::{self, UserStatus},
    },
    time::now,
};
use usher_testkit::{TestDb, on_both};

use crate::app::{ADMIN, PASSWORD, TestApp};

#[on_both]
async fn every_failed_sign_in_reads_the_same(db: TestDb) {
    let app = TestApp::start(db).await;
    app.add_user("customer@example.com", "A Customer").await;
    let locked = app.add_staff("locked@example.com", &[]).await;
    let row = user::ActiveModel {
        status: Set(UserStatus::Locked),
        ..locked.into_active_model()
    };
    row.update(&app.context.db).await.unwrap();
    let deleted = app.add_staff("deleted@example.com", &[]).await;
    let row = user::ActiveModel {
        deleted_at: Set(Some(now())),
        ..deleted.into_active_model()
    };
    row.update(&app.context.db).await.unwrap();

    let mut seen = vec![];
    for (email, password) in [
        (ADMIN, "wrong"),
        ("nobody@example.com", PASSWORD),
        ("customer@example.com", PASSWORD),
        ("locked@example.com", PASSWORD),
        ("deleted@example.com", PASSWORD),
        ("", ""),
        ("\0", "\0"),
    ] {
        let mut visitor = app.anonymous();
        let page = visitor.sign_in(email, password).await;
        assert_eq!(page.status, StatusCode::UNAUTHORIZED, "{email:?}");
        assert_eq!(visitor.cookie("usher_admin"), None);
        seen.push(crate::app::between(&page.body, "role=\"alert\" id=\"login-error\">", "<").to_owned());
    }
    assert!(
        !seen[0].is_empty() && seen.iter().all(|words| words == &seen[0]),
        "{seen:?}"
    );
    let audit = app.audit().await;
    assert_eq!(audit.iter().filter(|row| row.action == "login_failed").count(), 7);
    assert!(audit.iter().all(|row| !format!("{row:?}").contains(PASSWORD)));
}

#[on_both]
async fn a_sign_in_is_a_new_session_and_an_audit_row(db: TestDb) {
    let app = TestApp::start(db).await;
    let mut visitor = app.anonymous();
    visitor.set_cookie("usher_admin", "uas_chosen_by_somebody_else");
    let page = visitor.sign_in(ADMIN, PASSWORD).await;
    assert_eq!(page.location(), "/admin/");
    let cookie = page
        .headers
        .get_all(header::SET_COOKIE)
        .iter()
        .find_map(|value| value.to_str().ok().filter(|text| text.starts_with("usher_admin=")));
    let cookie = cookie.expect("a session cookie").to_owned();
    assert!(
        cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax") && !cookie.contains("Secure"),
        "{cookie}"
    );
    assert!(visitor.cookie("usher_admin").unwrap().starts_with("uas_"));
    assert_eq!(visitor.get("/admin/").await.status, StatusCode::OK);

    let session = session::Entity::find().one(&app.context.db).await.unwrap().unwrap();
    assert_eq!(session.user_id, app.admin.id);
    assert!(!format!("{:?}", session.token_hash).contains("uas_"));
    assert!(app.user(app.admin.id).await.last_login_at.is_some());
    let audit = app.audit().await;
    assert_eq!(
        audit.last().map(|row| (row.action.as_str(), row.actor_id)),
        Some(("login", Some(app.admin.id)))
    );
    assert!(audit.last().unwrap().address.is_some() && audit.last().unwrap().request_id.is_some());
}

#[on_both]
async fn behind_https_the_cookie_is_confined_to_it(db: TestDb) {
    let app = TestApp::with(db, &[("ADMIN_URL", "https://admin.example.org")]).await;
    let mut visitor = app.anonymous();
    let page = visitor.sign_in(ADMIN, PASSWORD).await;
    let cookies = page
        .headers
        .get_all(header::SET_COOKIE)
        .iter()
        .map(|value| value.to_str().unwrap());
    let cookies: Vec<_> = cookies.collect();
    assert!(
        cookies.iter().any(|text| text.starts_with("__Host-usher_admin=uas_")),
        "{cookies:?}"
    );
    assert!(
        cookies
            .iter()
            .all(|text| text.starts_with("__Host-") && text.contains("; Secure")),
        "{cookies:?}"
    );
}

#[on_both]
async fn next_leads_to_own_pages_only(db: TestDb) {
    let app = TestApp::start(db).await;
    let mut visitor = app.anonymous();
    let page = visitor.get("/admin/users?q=ada").await;
    assert_eq!(page.location(), "/admin/login?next=%2Fadmin%2Fusers%3Fq%3Dada");
    let page = visitor.get(page.location()).await;
    let next = page.input("next").unwrap();
    let fields = [("email", ADMIN), ("password", PASSWORD), ("next", next.as_str())];
    assert_eq!(
        visitor.post("/admin/login", &fields).await.location(),
        "/admin/users?q=ada"
    );

    for foreign in [
        "https://evil.example/",
        "//evil.example/",
        "/\\evil.example",
        "/docs",
        "javascript:alert(1)",
    ] {
        let mut visitor = app.anonymous();
        visitor.get("/admin/login").await;
        let page = visitor
            .post(
                "/admin/login",
                &[("email", ADMIN), ("password", PASSWORD), ("next", foreign)],
            )
            .await;
        assert_eq!(page.location(), "/admin/", "{foreign}");
    }
}

#[on_both]
async fn demotion_and_a_lock_hold_from_the_next_request(db: TestDb) {
    let app = TestApp::start(db).await;
    for change in [
        user::ActiveModel {
            is_staff: Set(false),
            ..Default::default()
        },
        user::ActiveModel {
            status: Set(UserStatus::Locked),
            ..Default::default()
        },
        user::ActiveModel {
            status: Set(UserStatus::Deactivated),
            ..Default::default()
        },
        user::ActiveModel {
            deleted_at: Set(Some(now())),
            ..Default::default()
        },
    ] {
        let email = format!("staff{}@example.com", app.audit().await.len());
        let staff = app.add_staff(&email, &["users.view"]).await;
        let mut visitor = app.signed_in(&email).await;
        assert_eq!(visitor.get("/admin/users").await.status, StatusCode::OK);
        user::ActiveModel {
            id: Set(staff.id),
            ..change
        }
        .update(&app.context.db)
        .await
        .unwrap();
        let page = visitor.get("/admin/users").await;
        assert!(
            page.location().starts_with("/admin/login"),
            "{} {}",
            page.status,
            page.location()
        );
    }
}

#[on_both]
async fn a_role_taken_away_holds_from_the_next_request(db: TestDb) {
    let app = TestApp::start(db).await;
    let mut visitor = app.staff(&["users.view"]).await;
    assert_eq!(visitor.get("/admin/users").await.status, StatusCode::OK);
    usher_shared::foundation::entity::user_role::Entity::delete_many()
        .exec(&app.context.db)
        .await
        .unwrap();
    assert_eq!(visitor.get("/admin/users").await.status, StatusCode::FORBIDDEN);
}

#[on_both]
async fn signing_out_is_a_post_and_ends_the_session(db: TestDb) {
    let app = TestApp::start(db).await;
    let mut visitor = app.superuser().await;
    assert_eq!(
        visitor.get("/admin/logout").await.status,
        StatusCode::METHOD_NOT_ALLOWED
    );
    assert_eq!(visitor.get("/admin/").await.status, StatusCode::OK);
    let stolen = visitor.clone();
    assert_eq!(visitor.post("/admin/logout", &[]).await.location(), "/admin/login");
    for mut each in [visitor, stolen] {
        assert!(each.get("/admin/").await.location().starts_with("/admin/login"));
    }
    let session = session::Entity::find().one(&app.context.db).await.unwrap().unwrap();
    assert!(session.ended_at.is_some());
}

#[on_both]
async fn idle_and_old_sessions_end(db: TestDb) {
    let app = TestApp::start(db).await;
    for change in [
        session::ActiveModel {
            last_seen_at: Set(now() - chrono::TimeDelta::minutes(61)),
            ..Default::default()
        },
        session::ActiveModel {
            expires_at: Set(now() - chrono::TimeDelta::seconds(1)),
            ..Default::default()
        },
    ] {
        let mut visitor = app.superuser().await;
        let sessions = session::Entity::find().all(&app.context.db).await.unwrap();
        let newest = sessions.iter().max_by_key(|session| session.id).unwrap();
        session::ActiveModel {
            id: Set(newest.id),
            ..change
        }
        .update(&app.context.db)
        .await
        .unwrap();
        assert!(visitor.get("/admin/").await.location().starts_with("/admin/login"));
    }
}

#[on_both]
async fn guessing_is_slowed_down(db: TestDb) {
    let app = TestApp::with(db, &[("RATE_LIMITS", "on")]).await;
    let mut visitor = app.anonymous();
    for _ in 0..5 {
        assert_eq!(visitor.sign_in(ADMIN, "wrong").await.status, StatusCode::UNAUTHORIZED);
    }
    let page = visitor.sign_in(ADMIN, PASSWORD).await;
    assert_eq!(page.status, StatusCode::TOO_MANY_REQUESTS);
    let wait: u64 = page.headers[header::RETRY_AFTER].to_str().unwrap().parse().unwrap();
    assert!((1..=60).contains(&wait), "{wait}");
}

#[on_both]
async fn a_log_in_ends_the_browsers_session_before_it(db: TestDb) {
    let app = TestApp::start(db).await;
    app.add_staff("sam@example.org", &["users.view"]).await;
    for email in [ADMIN, "sam@example.org"] {
        let mut browser = app.superuser().await;
        let mut thief = browser.clone();
        browser.get("/admin/account").await;
        let fields = [("email", email), ("password", PASSWORD), ("next", "")];
        assert_eq!(browser.post("/admin/login", &fields).await.location(), "/admin/");
        assert_eq!(browser.get("/admin/").await.status, StatusCode::OK);
        assert!(
            thief.get("/admin/").await.location().starts_with("/admin/login"),
            "the cookie from before, {email}"
        );
    }
    let mut browser = app.superuser().await;
    browser.get("/admin/account").await;
    let refused = browser
        .post("/admin/login", &[("email", ADMIN), ("password", "wrong"), ("next", "")])
        .await;
    assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
    assert_eq!(
        browser.get("/admin/").await.status,
        StatusCode::OK,
        "a failed one ends nothing"
    );
}

#[on_both]
async fn a_visitors_token_is_none_of_a_session_with_the_same_name(db: TestDb) {
    let app = TestApp::start(db).await;
    let mut victim = app.superuser().await;
    let session = session::Entity::find().one(&app.context.db).await.unwrap().unwrap();
    let names = [
        session.id.to_string(),
        format!("session:{}:{}", session.id, session.user_id),
    ];
    for name in names {
        let mut thief = app.anonymous();
        thief.set_cookie("usher_visitor", &name);
        thief.get("/admin/login").await;
        let fields = [("csrf_token", thief.token()), ("name", "Planted".to_owned())];
        let fields: Vec<_> = fields.iter().map(|(key, value)| (*key, value.as_str())).collect();
        let page = victim.post_without_token("/admin/roles/new", &fields).await;
        assert!(
            page.status == StatusCode::FORBIDDEN && !page.has("Planted"),
            "{}",
            page.body
        );
    }
}
