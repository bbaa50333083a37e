//! Acting for a user: asked, confirmed, in view on every page, on record, and ended.

use axum::http::StatusCode;
use sea_orm::EntityTrait;
use usher_shared::{
    accounts::sessions,
    foundation::{
        entity::session,
        token::{Token, TokenKind},
    },
};
use usher_testkit::{TestDb, on_both};

use crate::app::{Page, TestApp, Visitor, between};

const BANNER: &str = "You're impersonating";

/// Asks for it as the confirmed form does.
async fn act_for(visitor: &mut Visitor, id: i64) -> Page {
    let id = id.to_string();
    let fields = [
        ("action", "impersonate"),
        ("id", id.as_str()),
        ("from_object", &id),
        ("_confirmed", "yes"),
        ("reason", "Ticket 7"),
    ];
    visitor.get("/admin/").await;
    visitor.post("/admin/users/actions", &fields).await
}

/// The token that the page after it shows.
async fn token(visitor: &mut Visitor, page: &Page) -> Token {
    let page = visitor.get(page.location()).await;
    let text = between(&page.body, "be shown again: ", "</p>");
    Token::parse(TokenKind::Access, text).unwrap_or_else(|| panic!("no token in {}", page.body))
}

#[on_both]
async fn staff_act_for_a_user_with_a_reason_in_view_and_on_record(db: TestDb) {
    let app = TestApp::start(db).await;
    let ada = app.add_user("ada@example.org", "Ada").await;
    let mut boss = app.superuser().await;
    assert!(!boss.get("/admin/").await.has(BANNER));
    let (id, actions) = (ada.id.to_string(), "/admin/users/actions");
    let asked = boss
        .get(&format!("{actions}?action=impersonate&id={id}&from_object={id}"))
        .await;
    assert!(
        asked.has("Impersonate: ada@example.org") && asked.has("name=\"reason\""),
        "{}",
        asked.body
    );
    let without = [
        ("action", "impersonate"),
        ("id", id.as_str()),
        ("from_object", &id),
        ("_confirmed", "yes"),
    ];
    assert_eq!(
        boss.post(actions, &without).await.status,
        StatusCode::UNPROCESSABLE_ENTITY,
        "enter a reason"
    );
    app.let_freshness_pass().await;
    assert_eq!(
        act_for(&mut boss, ada.id).await.status,
        StatusCode::UNAUTHORIZED,
        "it takes the password again"
    );

    let mut boss = app.superuser().await;
    let page = act_for(&mut boss, ada.id).await;
    let token = token(&mut boss, &page).await;
    let signed = sessions::load(&app.context.db, &token)
        .await
        .unwrap()
        .expect("a session");
    assert_eq!(
        (signed.user.id, signed.session.impersonator_id),
        (ada.id, Some(app.admin.id))
    );
    let lifetime = signed.session.expires_at - signed.session.created_at;
    assert_eq!((lifetime.num_minutes(), signed.session.refresh_hash), (10, None));
    for path in ["/admin/", "/admin/users", "/admin/jobs/overview", "/admin/account"] {
        let page = boss.get(path).await;
        assert!(
            page.has(BANNER) && page.has("ada@example.org</a> until"),
            "{path}: {}",
            page.body
        );
    }
    assert!(
        !app.superuser()
            .await
            .get("/admin/roles/new")
            .await
            .has("won't be shown again"),
        "the token is shown once"
    );

    let page = boss.post("/admin/impersonation/end", &[]).await;
    assert_eq!(page.location(), format!("/admin/users/{}", ada.id));
    assert!(!boss.get("/admin/").await.has(BANNER));
    assert!(sessions::load(&app.context.db, &token).await.unwrap().is_none());
    let rows = app.audit().await;
    let both: Vec<_> = rows.iter().filter(|row| row.on_behalf_of == Some(ada.id)).collect();
    assert_eq!(
        both.iter().map(|row| row.action.as_str()).collect::<Vec<_>>(),
        ["impersonate", "end_impersonation"]
    );
    assert!(
        both.iter()
            .all(|row| row.actor_id == Some(app.admin.id) && row.object_id == Some(ada.id.to_string()))
    );
    assert_eq!(both[0].reason.as_deref(), Some("Ticket 7"));
    assert!(
        rows.iter().all(|row| !format!("{row:?}").contains(token.as_str())),
        "the token is nowhere on record"
    );
}

#[on_both]
async fn nobody_acts_for_staff_for_many_or_without_the_permission(db: TestDb) {
    let app = TestApp::start(db).await;
    let (ada, eve) = (
        app.add_user("ada@example.org", "Ada").await,
        app.add_user("eve@example.org", "Eve").await,
    );
    let colleague = app.add_staff("sam@example.org", &[]).await;
    let mut plain = app.staff(&["users.view", "users.lock"]).await;
    assert_eq!(act_for(&mut plain, ada.id).await.status, StatusCode::FORBIDDEN);
    assert!(
        !plain
            .get(&format!("/admin/users/{}", ada.id))
            .await
            .has("action=impersonate")
    );
    let mut boss = app.superuser().await;
    for refused in [colleague.id, app.admin.id] {
        let page = act_for(&mut boss, refused).await;
        let page = boss.get(page.location()).await;
        assert!(
            page.has("Nothing was done") && page.has("staff can't be impersonated"),
            "{}",
            page.body
        );
        assert!(
            !boss
                .get(&format!("/admin/users/{refused}"))
                .await
                .has("action=impersonate")
        );
    }
    let ids = [ada.id.to_string(), eve.id.to_string()];
    let many = [
        ("action", "impersonate"),
        ("id", ids[0].as_str()),
        ("id", ids[1].as_str()),
        ("_confirmed", "yes"),
        ("reason", "Both"),
    ];
    boss.post("/admin/users/actions", &many).await;
    assert!(
        !boss.get("/admin/users").await.has("value=\"impersonate\""),
        "it is no action of the list"
    );
    let sessions = session::Entity::find().all(&app.context.db).await.unwrap();
    assert!(
        sessions.iter().all(|session| session.impersonator_id.is_none()),
        "{sessions:?}"
    );
}

#[on_both]
async fn it_ends_with_another_one_with_the_log_out_and_with_the_right(db: TestDb) {
    let app = TestApp::start(db).await;
    let (ada, eve) = (
        app.add_user("ada@example.org", "Ada").await,
        app.add_user("eve@example.org", "Eve").await,
    );
    let sam = app
        .add_staff("sam@example.org", &["users.view", "users.impersonate"])
        .await;
    let mut visitor = app.signed_in("sam@example.org").await;
    let page = act_for(&mut visitor, ada.id).await;
    let first = token(&mut visitor, &page).await;
    let page = act_for(&mut visitor, eve.id).await;
    let second = token(&mut visitor, &page).await;
    let open = async |token: &Token| sessions::load(&app.context.db, token).await.unwrap().is_some();
    assert!(!open(&first).await && open(&second).await);
    app.grant(sam.id, &["users.view".to_owned()]).await;
    assert!(!open(&second).await, "without the permission it opens nothing");
    app.grant(sam.id, &["users.view".to_owned(), "users.impersonate".to_owned()])
        .await;
    assert!(open(&second).await);
    let mut elsewhere = app.signed_in("sam@example.org").await;
    elsewhere.get("/admin/account").await;
    elsewhere.post("/admin/account/sessions/revoke", &[]).await;
    assert!(!open(&second).await, "it ends with the session in which it was begun");
    assert!(!elsewhere.get("/admin/").await.has(BANNER));
    let mut visitor = app.signed_in("sam@example.org").await;
    let page = act_for(&mut visitor, ada.id).await;
    let third = token(&mut visitor, &page).await;
    assert!(open(&third).await);
    visitor.post("/admin/logout", &[]).await;
    assert!(!open(&third).await);
}
