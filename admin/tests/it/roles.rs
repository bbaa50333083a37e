//! Roles: given and taken by people who may, and by nobody else.

use axum::http::StatusCode;
use sea_orm::EntityTrait;
use usher_shared::foundation::entity::{role, role_permission, user_role};
use usher_testkit::{TestDb, on_both};

use crate::app::{PASSWORD, Page, TestApp, Visitor};

async fn add_role(visitor: &mut Visitor, name: &str, permissions: &[&str]) -> StatusCode {
    visitor.get("/admin/roles/new").await;
    let mut fields = vec![("name", name), ("description", "made by a test")];
    fields.extend(permissions.iter().map(|permission| ("permission", *permission)));
    visitor.post("/admin/roles/new", &fields).await.status
}

async fn roles(app: &TestApp) -> Vec<(role::Model, Vec<String>)> {
    let given = role_permission::Entity::find().all(&app.context.db).await.unwrap();
    let roles = role::Entity::find().all(&app.context.db).await.unwrap();
    let own = |role: &role::Model| {
        given
            .iter()
            .filter(|each| each.role_id == role.id)
            .map(|each| each.permission.clone())
            .collect()
    };
    roles.into_iter().map(|role| (role.clone(), own(&role))).collect()
}

/// The action "set roles", confirmed on the page that asks.
async fn set_roles(visitor: &mut Visitor, id: &str, ticked: &[&str]) -> Page {
    let asked = asked(visitor, id).await;
    visitor.post("/admin/users/actions", &answered(&asked, ticked)).await
}

async fn asked(visitor: &mut Visitor, id: &str) -> Vec<(String, String)> {
    let path = "/admin/users/actions";
    let page = visitor
        .get(&format!("{path}?action=set_roles&id={id}&from_object={id}"))
        .await;
    page.hidden_of(path)
}

fn answered<'a>(asked: &'a [(String, String)], ticked: &[&'a str]) -> Vec<(&'a str, &'a str)> {
    let hidden = asked.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let mut fields: Vec<_> = hidden
        .filter(|(name, _)| !["csrf_token", "access"].contains(name))
        .collect();
    fields.extend(ticked.iter().map(|word| ("access", *word)));
    fields
}

#[on_both]
async fn a_role_is_made_in_a_table_of_boxes_and_holds_at_once(db: TestDb) {
    let app = TestApp::start(db).await;
    let mut boss = app.superuser().await;
    let page = boss.get("/admin/roles/new").await;
    for permission in ["users.view", "users.lock", "jobs.retry", "audit.export", "roles.change"] {
        assert!(page.has(&format!("value=\"{permission}\"")), "{permission}");
    }
    assert!(
        !page.has("value=\"audit.change\"") && !page.has("value=\"mails.add\""),
        "only what a model offers"
    );
    assert_eq!(
        add_role(&mut boss, "Support", &["users.view", "users.unlock"]).await,
        StatusCode::SEE_OTHER
    );
    let (role, given) = roles(&app).await.pop().unwrap();
    assert_eq!((role.name.as_str(), given.len()), ("Support", 2));

    let sam = app.add_user("sam@example.org", "Sam").await;
    let (id, role_id) = (sam.id.to_string(), role.id.to_string());
    boss.get(&format!("/admin/users/actions?action=set_roles&id={id}"))
        .await;
    let page = set_roles(&mut boss, &id, &["staff", &role_id]).await;
    assert_eq!(page.location(), format!("/admin/users/{id}"), "{}", page.body);
    let mut sam = app.signed_in("sam@example.org").await;
    assert_eq!(sam.get("/admin/users").await.status, StatusCode::OK);
    let entry = app
        .audit()
        .await
        .into_iter()
        .rev()
        .find(|entry| entry.action == "set_roles")
        .unwrap();
    let changes = entry.changes.unwrap();
    assert_eq!(changes["roles"], serde_json::json!(["", "Support"]));

    // Taken away again, it is gone with the next request of the same session.
    set_roles(&mut boss, &id, &["staff"]).await;
    assert_eq!(sam.get("/admin/users").await.status, StatusCode::FORBIDDEN);
    set_roles(&mut boss, &id, &[]).await;
    assert!(
        sam.get("/admin/").await.location().starts_with("/admin/login"),
        "no longer staff"
    );
}

#[on_both]
async fn nobody_gives_more_than_they_hold_or_anything_to_themselves(db: TestDb) {
    let app = TestApp::start(db).await;
    let mut boss = app.superuser().await;
    add_role(&mut boss, "Strong", &["users.view", "users.lock"]).await;
    add_role(&mut boss, "Weak", &["users.view"]).await;
    let named = roles(&app).await;
    let id_of = |name: &str| {
        named
            .iter()
            .find(|(role, _)| role.name == name)
            .unwrap()
            .0
            .id
            .to_string()
    };
    let (strong, weak) = (id_of("Strong"), id_of("Weak"));
    let staff = app
        .add_staff(
            "mid@example.org",
            &[
                "users.view",
                "users.set_roles",
                "roles.view",
                "roles.change",
                "roles.add",
            ],
        )
        .await;
    let mut visitor = app.signed_in("mid@example.org").await;
    let own = staff.id.to_string();
    let other = app.add_user("other@example.org", "Other").await.id.to_string();
    visitor.get("/admin/users").await;
    for (id, ticked) in [
        (own.as_str(), vec!["staff", &strong]),
        (&own, vec!["staff", "superuser"]),
        (&own, vec!["staff", &weak]),
        (&other, vec!["staff", &strong]),
        (&other, vec!["staff", "superuser"]),
        (&other, vec![weak.as_str()]),
        (&other, vec!["staff", "999999"]),
    ] {
        let before = user_role::Entity::find().all(&app.context.db).await.unwrap();
        set_roles(&mut visitor, id, &ticked).await;
        assert_eq!(
            user_role::Entity::find().all(&app.context.db).await.unwrap(),
            before,
            "{id}: {ticked:?}"
        );
        assert!(!app.user(id.parse().unwrap()).await.is_superuser);
    }
    set_roles(&mut visitor, &other, &["staff", &weak]).await;
    assert!(
        app.user(other.parse().unwrap()).await.is_staff,
        "what they hold they may give"
    );

    assert_eq!(
        add_role(&mut visitor, "Mine", &["users.view", "users.lock"]).await,
        StatusCode::UNPROCESSABLE_ENTITY
    );
    assert_eq!(
        add_role(&mut visitor, "Mine", &["no.such"]).await,
        StatusCode::UNPROCESSABLE_ENTITY
    );
    let path = format!("/admin/roles/{weak}");
    let page = visitor.get(&path).await;
    let version = page.input("version").unwrap();
    let fields = [
        ("version", version.as_str()),
        ("name", "Weak"),
        ("description", ""),
        ("permission", "users.view"),
        ("permission", "users.delete"),
    ];
    assert_eq!(
        visitor.post(&path, &fields).await.status,
        StatusCode::UNPROCESSABLE_ENTITY
    );
    // What they do not hold stays in a role that they save.
    let path = format!("/admin/roles/{strong}");
    let version = visitor.get(&path).await.input("version").unwrap();
    let fields = [
        ("version", version.as_str()),
        ("name", "Strong"),
        ("description", "new"),
        ("permission", "users.view"),
    ];
    assert_eq!(visitor.post(&path, &fields).await.status, StatusCode::SEE_OTHER);
    let strong = roles(&app)
        .await
        .into_iter()
        .find(|(role, _)| role.name == "Strong")
        .unwrap();
    assert!(strong.1.contains(&"users.lock".to_owned()) && strong.0.description == "new");
}

#[on_both]
async fn a_set_that_a_colleague_changed_since_is_not_undone_in_silence(db: TestDb) {
    let app = TestApp::start(db).await;
    let mut boss = app.superuser().await;
    for name in ["Support", "Billing"] {
        add_role(&mut boss, name, &["users.view"]).await;
    }
    let named = roles(&app).await;
    let id_of = |name: &str| {
        named
            .iter()
            .find(|(role, _)| role.name == name)
            .unwrap()
            .0
            .id
            .to_string()
    };
    let (support, billing) = (id_of("Support"), id_of("Billing"));
    let sam = app.add_user("sam@example.org", "Sam").await;
    let id = sam.id.to_string();
    let opened = asked(&mut boss, &id).await;
    // A colleague gives Billing, and then the one who looked before gives Support.
    set_roles(&mut app.superuser().await, &id, &["staff", &billing]).await;
    let page = boss
        .post("/admin/users/actions", &answered(&opened, &["staff", &support]))
        .await;
    assert_eq!(page.status, StatusCode::CONFLICT, "{}", page.body);
    assert!(
        page.has("Someone else changed this") && page.has("<th scope=\"row\">Billing</th>"),
        "{}",
        page.body
    );
    assert!(
        page.has(&format!("value=\"{support}\" checked")),
        "what was ticked is kept"
    );
    let stored = usher_shared::accounts::staff::roles::of_user(&app.context.db, sam.id)
        .await
        .unwrap();
    assert_eq!(
        stored.iter().map(ToString::to_string).collect::<Vec<_>>(),
        std::slice::from_ref(&billing)
    );
    // Once it was seen, it is meant.
    let again = page.hidden_of("/admin/users/actions");
    let page = boss
        .post("/admin/users/actions", &answered(&again, &["staff", &support]))
        .await;
    assert_eq!(page.status, StatusCode::SEE_OTHER, "{}", page.body);
    // A form that saw nothing replaces nothing.
    boss.get("/admin/users").await;
    let blind: Vec<_> = opened.iter().filter(|(name, _)| name != "_seen").cloned().collect();
    assert_eq!(
        boss.post("/admin/users/actions", &answered(&blind, &[])).await.status,
        StatusCode::CONFLICT
    );
    let stored = usher_shared::accounts::staff::roles::of_user(&app.context.db, sam.id)
        .await
        .unwrap();
    assert_eq!(stored.iter().map(ToString::to_string).collect::<Vec<_>>(), [support]);
}

#[on_both]
async fn the_last_superuser_stays(db: TestDb) {
    let app = TestApp::start(db).await;
    let second = app.add_staff("second@example.org", &[]).await;
    let mut boss = app.superuser().await;
    let (first_id, second_id) = (app.admin.id.to_string(), second.id.to_string());
    boss.get("/admin/users").await;
    set_roles(&mut boss, &second_id, &["staff", "superuser"]).await;
    assert!(app.user(second.id).await.is_superuser);
    let mut other = app.signed_in("second@example.org").await;
    other.get("/admin/users").await;
    set_roles(&mut other, &first_id, &["staff"]).await;
    assert!(!app.user(app.admin.id).await.is_superuser, "one of two may go");
    // The one that is left can be taken away by nobody, not even by a direct post of themselves.
    set_roles(&mut other, &second_id, &[]).await;
    for action in ["lock", "deactivate", "delete", "set_roles"] {
        let fields = [
            ("action", action),
            ("id", second_id.as_str()),
            ("from_object", &second_id),
            ("_confirmed", "yes"),
            ("reason", "x"),
        ];
        other.post("/admin/users/actions", &fields).await;
        let user = app.user(second.id).await;
        assert!(
            user.is_superuser && user.may_sign_in(usher_shared::foundation::time::now()),
            "{action}"
        );
    }
}

#[on_both]
async fn a_role_that_somebody_has_is_not_deleted(db: TestDb) {
    let app = TestApp::start(db).await;
    let sam = app.add_staff("sam@example.org", &["users.view"]).await;
    let (role, _) = roles(&app).await.pop().unwrap();
    let mut boss = app.superuser().await;
    let path = format!("/admin/roles/{}/delete", role.id);
    let page = boss.get(&path).await;
    assert!(
        page.has("still used by 1 user, such as sam@example.org") && page.has("can't be deleted"),
        "{}",
        page.body
    );
    boss.post(&path, &[("_confirmed", "yes")]).await;
    assert_eq!(roles(&app).await.len(), 1, "a direct post is refused as well");
    boss.get("/admin/users").await;
    set_roles(&mut boss, &sam.id.to_string(), &["staff"]).await;
    let page = boss.get(&path).await;
    assert!(!page.has("can't be deleted"));
    boss.post(&path, &[]).await;
    assert_eq!(roles(&app).await.len(), 0);
    assert_eq!(app.audit().await.pop().unwrap().action, "delete");
}

#[on_both]
async fn what_is_sensitive_takes_the_password_again_and_keeps_the_form(db: TestDb) {
    let app = TestApp::start(db).await;
    let mut boss = app.superuser().await;
    boss.get("/admin/roles/new").await;
    app.let_freshness_pass().await;
    let fields = [
        ("name", "Support"),
        ("description", "kept <b>"),
        ("permission", "users.view"),
    ];
    let page = boss.post("/admin/roles/new", &fields).await;
    assert_eq!(page.status, StatusCode::UNAUTHORIZED);
    assert!(page.has("Confirm it's you") && page.has("value=\"kept &#60;b&#62;\""));
    assert_eq!(roles(&app).await.len(), 0);
    let all = |password| {
        [
            fields.as_slice(),
            &[
                ("_next", "/admin/roles/new"),
                ("_method", "post"),
                ("_password", password),
            ],
        ]
        .concat()
    };
    let wrong = boss.post("/admin/reauthenticate", &all("wrong")).await;
    assert!(wrong.status == StatusCode::UNAUTHORIZED && wrong.has("kept &#60;b&#62;"));
    let right = boss.post("/admin/reauthenticate", &all(PASSWORD)).await;
    assert_eq!(
        (right.status, right.location()),
        (StatusCode::TEMPORARY_REDIRECT, "/admin/roles/new")
    );
    assert_eq!(
        boss.post("/admin/roles/new", &fields).await.status,
        StatusCode::SEE_OTHER
    );
    assert_eq!(roles(&app).await.len(), 1);
    let away = boss
        .post(
            "/admin/reauthenticate",
            &[
                ("_next", "https://evil.example/"),
                ("_method", "post"),
                ("_password", PASSWORD),
            ],
        )
        .await;
    assert_eq!(away.location(), "/admin/");
}
