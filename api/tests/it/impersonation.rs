//! A member of staff acts for a user: as the user, for ten minutes, on record, and without what protects the account.

use sea_orm::{ActiveValue::Set, EntityTrait};
use serde_json::json;
use usher_shared::{
    accounts::{
        impersonation::{self, ImpersonationError},
        sessions::{self, Which},
    },
    audit::Actor,
    foundation::{
        entity::{
            audit_log::{self, ActorKind},
            session::{self, SessionKind},
        },
        rules::Reason,
        time::now,
        token::Token,
    },
};
use usher_testkit::{TestDb, on_both};
use uuid::Uuid;

use crate::{app::TestApp, people::PASSWORD};

async fn act_for(app: &TestApp, user_id: i64, staff_id: i64) -> Result<Token, ImpersonationError> {
    let session_id = admin_session(app, staff_id).await;
    act_in(app, user_id, (staff_id, session_id)).await
}

/// Somebody of the staff signs in to the admin.
async fn admin_session(app: &TestApp, staff_id: i64) -> Uuid {
    let (id, at) = (Uuid::now_v7(), now());
    let row = session::ActiveModel {
        id: Set(id),
        user_id: Set(staff_id),
        kind: Set(SessionKind::Admin),
        token_hash: Set(id.as_bytes().to_vec()),
        created_at: Set(at),
        last_seen_at: Set(at),
        expires_at: Set(at + chrono::TimeDelta::hours(12)),
        ..Default::default()
    };
    session::Entity::insert(row)
        .exec_without_returning(&app.context.db)
        .await
        .unwrap();
    id
}

async fn act_in(app: &TestApp, user_id: i64, own: (i64, Uuid)) -> Result<Token, ImpersonationError> {
    let staff_id = own.0;
    let actor = Actor::new(ActorKind::User, Some(staff_id), "root@example.com");
    let tx = app.context.job_store.begin().await.unwrap();
    let reason = Reason::parse("Ticket 7").unwrap();
    let token = impersonation::start(&tx, user_id, own, reason, &actor).await?;
    tx.commit().await.unwrap();
    Ok(token)
}

#[on_both]
async fn whoever_acts_for_a_user_is_on_record_and_never_counts_as_the_user(db: TestDb) {
    let app = TestApp::start(db).await;
    let (root, ada) = (app.superuser().await, app.person("ada@example.com").await);
    let token = act_for(&app, ada.id, root.id).await.unwrap();
    let acting = app.bearer(token.as_str());
    assert_eq!(acting.get("/me").await.json()["email"], "ada@example.com");
    assert_eq!(acting.patch("/me", &json!({"name": "Ada King"})).await.status, 200);
    let rows = audit_log::Entity::find().all(&app.context.db).await.unwrap();
    let both: Vec<_> = rows.iter().filter(|row| row.on_behalf_of == Some(ada.id)).collect();
    assert_eq!(
        both.iter().map(|row| row.action.as_str()).collect::<Vec<_>>(),
        ["impersonate", "update"]
    );
    assert!(both.iter().all(|row| row.actor_id == Some(root.id)), "{both:?}");
    assert_eq!(both[0].reason.as_deref(), Some("Ticket 7"));

    // What protects the account stays the owner's, even with the owner's password.
    for password in [PASSWORD, "wrong"] {
        let answer = acting
            .post("/auth/reauthenticate", &json!({"password": password}))
            .await;
        answer.is(403, "password_wrong");
    }
    assert!(
        app.noted("login_failed").await.is_empty(),
        "nothing was tried, so nothing counts against the owner"
    );
    acting.delete("/me").await.is(401, "reauthentication_required");
    acting
        .post("/me/email-change", &json!({"email": "eve@example.com"}))
        .await
        .is(401, "reauthentication_required");
    acting
        .post("/me/mfa/totp", &json!({}))
        .await
        .is(401, "reauthentication_required");
    let change = json!({"current_password": PASSWORD, "new_password": "another four uncommon words"});
    assert_eq!(acting.post("/me/password", &change).await.code(), "password_wrong");
    assert_eq!(
        ada.client.get("/me").await.status,
        200,
        "the owner's own session goes on"
    );
}

#[on_both]
async fn it_ends_with_the_rights_of_who_acts_and_never_reaches_staff(db: TestDb) {
    let app = TestApp::start(db).await;
    let (root, ada, eve) = (
        app.superuser().await,
        app.person("ada@example.com").await,
        app.person("eve@example.com").await,
    );
    app.sql(&format!("UPDATE users SET is_staff = true WHERE id = {}", eve.id))
        .await;
    assert!(matches!(
        act_for(&app, root.id, eve.id).await,
        Err(ImpersonationError::Staff)
    ));
    // Who may not, or no longer, opens nothing.
    let token = act_for(&app, ada.id, eve.id).await.unwrap();
    app.bearer(token.as_str())
        .get("/me")
        .await
        .is(401, "invalid_credential");
    let token = act_for(&app, ada.id, root.id).await.unwrap();
    let acting = app.bearer(token.as_str());
    assert_eq!(acting.get("/me").await.status, 200);
    app.sql(&format!("UPDATE users SET is_staff = true WHERE id = {}", ada.id))
        .await;
    acting.get("/me").await.is(401, "invalid_credential");
    app.sql(&format!("UPDATE users SET is_staff = false WHERE id = {}", ada.id))
        .await;
    assert_eq!(acting.get("/me").await.status, 200);
    // Another one ends the one before; its end is the token's.
    let another = act_for(&app, ada.id, root.id).await.unwrap();
    acting.get("/me").await.is(401, "invalid_credential");
    let acting = app.bearer(another.as_str());
    app.sql("UPDATE sessions SET expires_at = created_at WHERE impersonator_id IS NOT NULL")
        .await;
    acting.get("/me").await.is(401, "invalid_credential");
}

#[on_both]
async fn it_ends_with_the_session_in_which_it_was_begun(db: TestDb) {
    let app = TestApp::start(db).await;
    let (root, ada) = (app.superuser().await, app.person("ada@example.com").await);
    let open = async |token: &Token| app.bearer(token.as_str()).get("/me").await.status == 200;
    let all = [Which::All, Which::One(Uuid::nil()), Which::Others(Uuid::nil())];
    for which in all {
        let (own, other) = (admin_session(&app, root.id).await, admin_session(&app, root.id).await);
        let token = act_in(&app, ada.id, (root.id, own)).await.unwrap();
        let (kept, ended) = match which {
            Which::All => (None, Which::All),
            Which::One(_) => (Some(Which::One(other)), Which::One(own)),
            Which::Others(_) => (Some(Which::Others(own)), Which::Others(other)),
        };
        if let Some(kept) = kept {
            sessions::end(&app.context.db, root.id, kept, "a test").await.unwrap();
            assert!(open(&token).await, "{which:?}");
        }
        if let Which::Others(_) = which {
            let again = admin_session(&app, root.id).await;
            sessions::end(&app.context.db, root.id, Which::Others(again), "a test")
                .await
                .unwrap();
        } else {
            sessions::end(&app.context.db, root.id, ended, "a test").await.unwrap();
        }
        assert!(!open(&token).await, "{which:?}");
        let refused = act_in(&app, ada.id, (root.id, own)).await;
        assert!(matches!(refused, Err(ImpersonationError::SignedOut)), "{which:?}");
    }
    // Whichever way the session ends, and never longer than it.
    let own = admin_session(&app, root.id).await;
    app.sql("UPDATE sessions SET expires_at = '2999-01-01T00:00:00+00:00' WHERE kind = 'admin'")
        .await;
    let token = act_in(&app, ada.id, (root.id, own)).await.unwrap();
    app.sql("UPDATE sessions SET ended_at = created_at WHERE kind = 'admin'")
        .await;
    assert!(!open(&token).await);
    let own = admin_session(&app, root.id).await;
    let soon = now() + chrono::TimeDelta::minutes(2);
    app.sql(&format!(
        "UPDATE sessions SET expires_at = '{}' WHERE kind = 'admin'",
        soon.to_rfc3339()
    ))
    .await;
    let token = act_in(&app, ada.id, (root.id, own)).await.unwrap();
    let until = sessions::load(&app.context.db, &token)
        .await
        .unwrap()
        .unwrap()
        .session
        .expires_at;
    assert!((until - soon).num_seconds().abs() < 2, "{until}");
}
