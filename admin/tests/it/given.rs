//! Nobody gives what they do not hold: scopes of keys, permissions of roles.

use axum::http::StatusCode;
use sea_orm::EntityTrait;
use usher_shared::{
    accounts::api_keys::{self, NewKey, Scope},
    audit::Actor,
    foundation::{entity::api_key, rules::Name},
};
use usher_testkit::{TestDb, on_both};

use crate::app::{Page, TestApp, Visitor};

const KEYS: [&str; 5] = [
    "api_keys.view",
    "api_keys.add",
    "api_keys.change",
    "api_keys.rotate",
    "api_keys.revoke",
];

async fn key(app: &TestApp, scopes: &[Scope]) -> api_key::Model {
    let new = NewKey::plain(Name::parse("billing").unwrap(), scopes.to_vec());
    let tx = app.context.job_store.begin().await.unwrap();
    let (key, _) = api_keys::issue(&tx, new, None, &Actor::system()).await.unwrap();
    tx.commit().await.unwrap();
    key
}

async fn stored(app: &TestApp, id: i64) -> api_key::Model {
    api_key::Entity::find_by_id(id)
        .one(&app.context.db)
        .await
        .unwrap()
        .unwrap()
}

async fn add(visitor: &mut Visitor, scopes: &[&str]) -> Page {
    visitor.get("/admin/api_keys/new").await;
    let mut fields = vec![
        ("name", "new"),
        ("allowed_cidrs", ""),
        ("requests_per_minute", ""),
        ("expires_at", ""),
    ];
    fields.extend(scopes.iter().map(|scope| ("scope", *scope)));
    visitor.post("/admin/api_keys/new", &fields).await
}

async fn save(visitor: &mut Visitor, key: &api_key::Model, scopes: &[&str], more: &[(&str, &str)]) -> Page {
    let path = format!("/admin/api_keys/{}", key.id);
    let page = visitor.get(&path).await;
    let version = page.input("version").unwrap_or_else(|| key.version.to_string());
    let mut fields = vec![
        ("version", version.as_str()),
        ("name", key.name.as_str()),
        ("allowed_cidrs", ""),
        ("requests_per_minute", ""),
        ("expires_at", ""),
    ];
    for (name, value) in more {
        fields.retain(|(field, _)| field != name);
        fields.push((name, value));
    }
    fields.extend(scopes.iter().map(|scope| ("scope", *scope)));
    visitor.post(&path, &fields).await
}

async fn act(visitor: &mut Visitor, action: &str, id: i64, more: &[(&str, &str)]) -> Page {
    let page = visitor
        .get(&format!(
            "/admin/api_keys/actions?action={action}&id={id}&from_object={id}"
        ))
        .await;
    let hidden = page.hidden_of("/admin/api_keys/actions");
    let mut fields: Vec<_> = hidden
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    fields.retain(|(name, _)| *name != "csrf_token");
    fields.extend(more);
    let page = visitor.post("/admin/api_keys/actions", &fields).await;
    visitor.get(page.location()).await
}

#[on_both]
async fn a_scope_is_given_only_by_who_may_do_all_that_it_allows(db: TestDb) {
    let app = TestApp::start(db).await;
    for scope in Scope::BUILT_IN {
        let needed = scope.permissions();
        for missing in needed {
            let held: Vec<_> = needed
                .iter()
                .filter(|one| *one != missing)
                .chain(&KEYS)
                .copied()
                .collect();
            let mut visitor = app.staff(&held).await;
            let before = api_key::Entity::find().all(&app.context.db).await.unwrap().len();
            let page = add(&mut visitor, &[scope.as_str()]).await;
            assert_eq!(
                page.status,
                StatusCode::UNPROCESSABLE_ENTITY,
                "{} without {missing}",
                scope.as_str()
            );
            assert_eq!(
                api_key::Entity::find().all(&app.context.db).await.unwrap().len(),
                before
            );

            // A key that has it already is as far out of reach: to change, to widen, to take over by its new secret.
            let strong = key(&app, &[scope]).await;
            for (scopes, more) in [
                (vec![scope.as_str()], vec![("name", "mine")]),
                (vec![], vec![]),
                (vec![scope.as_str()], vec![("requests_per_minute", "9")]),
            ] {
                let page = save(&mut visitor, &strong, &scopes, &more).await;
                assert_eq!(
                    page.status,
                    StatusCode::FORBIDDEN,
                    "{} without {missing}",
                    scope.as_str()
                );
            }
            act(&mut visitor, "rotate", strong.id, &[]).await;
            assert_eq!(stored(&app, strong.id).await, strong);
            // Taking it away gives nothing.
            act(&mut visitor, "revoke", strong.id, &[]).await;
            assert!(stored(&app, strong.id).await.revoked_at.is_some());
        }
        let held: Vec<_> = needed.iter().chain(&KEYS).copied().collect();
        let mut visitor = app.staff(&held).await;
        assert_eq!(
            add(&mut visitor, &[scope.as_str()]).await.status,
            StatusCode::SEE_OTHER,
            "{}",
            scope.as_str()
        );
    }
}

#[on_both]
async fn a_key_that_one_may_change_gets_no_scope_that_one_does_not_hold(db: TestDb) {
    let app = TestApp::start(db).await;
    let mut visitor = app.staff(&[&KEYS[..], &["users.view"]].concat()).await;
    let own = key(&app, &[Scope::USERS_READ]).await;
    let page = save(&mut visitor, &own, &["users:read", "users:delete"], &[]).await;
    assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(page.has("You can't grant"), "{}", page.body);
    assert_eq!(stored(&app, own.id).await, own);
    let page = save(&mut visitor, &own, &["users:read"], &[("name", "renamed")]).await;
    assert_eq!(page.status, StatusCode::SEE_OTHER);
    let page = act(&mut visitor, "rotate", own.id, &[]).await;
    assert!(page.has("API key rotated") && page.has("uak_"), "{}", page.body);
    let rotated = stored(&app, own.id).await;
    assert_eq!(
        (rotated.name.as_str(), rotated.previous_hash),
        ("renamed", Some(own.token_hash.clone()))
    );
    act(&mut visitor, "rotate", own.id, &[("at_once", "at_once")]).await;
    assert_eq!(
        stored(&app, own.id).await.previous_hash,
        None,
        "a leaked one stops at once"
    );
}

#[on_both]
async fn the_form_of_a_key_has_the_apis_rules(db: TestDb) {
    let app = TestApp::start(db).await;
    let mut boss = app.superuser().await;
    assert_eq!(
        add(&mut boss, &[]).await.status,
        StatusCode::UNPROCESSABLE_ENTITY,
        "a key without scopes opens nothing"
    );
    let key = key(&app, &[Scope::USERS_READ]).await;
    let many = vec!["10.0.0.1"; 33].join(" ");
    for (field, value, words) in [
        ("allowed_cidrs", many.as_str(), "32 networks"),
        ("allowed_cidrs", "10.0.0.0/99", "Write each network"),
        ("requests_per_minute", "0", "1 or more"),
        ("requests_per_minute", "1000001", "1000000 or less"),
        ("expires_at", "2001-01-01T00:00", "end in the future"),
        ("name", " ", "Enter a name"),
    ] {
        let page = save(&mut boss, &key, &["users:read"], &[(field, value)]).await;
        assert!(
            page.status == StatusCode::UNPROCESSABLE_ENTITY && page.has(words),
            "{field}={value}: {}",
            page.body
        );
    }
    assert_eq!(
        save(&mut boss, &key, &[], &[]).await.status,
        StatusCode::UNPROCESSABLE_ENTITY
    );
    assert_eq!(stored(&app, key.id).await, key);
    let page = save(
        &mut boss,
        &key,
        &["users:read"],
        &[("allowed_cidrs", "10.1.2.3/8 192.0.2.7")],
    )
    .await;
    assert_eq!(page.status, StatusCode::SEE_OTHER, "{}", page.body);
    assert_eq!(
        stored(&app, key.id).await.allowed_cidrs.as_deref(),
        Some("10.0.0.0/8 192.0.2.7/32")
    );
    act(&mut boss, "revoke", key.id, &[]).await;
    assert_eq!(
        save(&mut boss, &key, &["users:read"], &[("name", "again")])
            .await
            .status,
        StatusCode::FORBIDDEN,
        "a revoked key stays as it is"
    );
    assert_eq!(stored(&app, key.id).await.name, "billing");
}
