//! A member of staff acts for a user: as the user, for ten minutes, on record, and without what protects the account.

use sea_orm::EntityTrait;
use serde_json::json;
use usher_shared::{
    Token,
    audit::Actor,
    entity::audit_log::{self, ActorKind},
    impersonation::{self, ImpersonationError},
    rules::Reason,
};
use usher_testkit::on_both;

use crate::{app::TestApp, people::PASSWORD};

async fn act_for(app: &TestApp, user_id: i64, staff_id: i64) -> Result<Token, ImpersonationError> {
    let actor = Actor::new(ActorKind::User, Some(staff_id), "root@example.com");
    let tx = app.house.ledger.begin().await.unwrap();
    let reason = Reason::parse("Ticket 7").unwrap();
    let token = impersonation::start(&tx, user_id, staff_id, reason, &actor).await?;
    tx.commit().await.unwrap();
    Ok(token)
}

on_both! {
    async fn whoever_acts_for_a_user_is_on_record_and_never_counts_as_the_user(db: TestDb) {
        let app = TestApp::start(db).await;
        let (root, ada) = (app.superuser().await, app.person("ada@example.com").await);
        let token = act_for(&app, ada.id, root.id).await.unwrap();
        let acting = app.bearer(token.as_str());
        assert_eq!(acting.get("/me").await.json()["email"], "ada@example.com");
        assert_eq!(acting.patch("/me", &json!({"name": "Ada King"})).await.status, 200);
        let rows = audit_log::Entity::find().all(&app.house.db).await.unwrap();
        let both: Vec<_> = rows.iter().filter(|row| row.on_behalf_of == Some(ada.id)).collect();
        assert_eq!(both.iter().map(|row| row.action.as_str()).collect::<Vec<_>>(), ["impersonate", "update"]);
        assert!(both.iter().all(|row| row.actor_id == Some(root.id)), "{both:?}");
        assert_eq!(both[0].reason.as_deref(), Some("Ticket 7"));

        // What protects the account stays the owner's, even with the owner's password.
        let password = json!({"password": PASSWORD});
        acting.post("/auth/reauthenticate", &password).await;
        acting.delete("/me").await.is(401, "reauthentication_required");
        acting.post("/me/email-change", &json!({"email": "eve@example.com"})).await.is(401, "reauthentication_required");
        acting.post("/me/mfa/totp", &json!({})).await.is(401, "reauthentication_required");
        let change = json!({"current_password": PASSWORD, "new_password": "another four uncommon words"});
        assert_eq!(acting.post("/me/password", &change).await.code(), "password_wrong");
        assert_eq!(ada.client.get("/me").await.status, 200, "the owner's own session goes on");
    }

    async fn it_ends_with_the_rights_of_who_acts_and_never_reaches_staff(db: TestDb) {
        let app = TestApp::start(db).await;
        let (root, ada, eve) = (app.superuser().await, app.person("ada@example.com").await, app.person("eve@example.com").await);
        app.sql(&format!("UPDATE users SET is_staff = true WHERE id = {}", eve.id)).await;
        assert!(matches!(act_for(&app, root.id, eve.id).await, Err(ImpersonationError::Staff)));
        // Who may not, or no longer, opens nothing.
        let token = act_for(&app, ada.id, eve.id).await.unwrap();
        app.bearer(token.as_str()).get("/me").await.is(401, "invalid_credential");
        let token = act_for(&app, ada.id, root.id).await.unwrap();
        let acting = app.bearer(token.as_str());
        assert_eq!(acting.get("/me").await.status, 200);
        app.sql(&format!("UPDATE users SET is_staff = true WHERE id = {}", ada.id)).await;
        acting.get("/me").await.is(401, "invalid_credential");
        app.sql(&format!("UPDATE users SET is_staff = false WHERE id = {}", ada.id)).await;
        assert_eq!(acting.get("/me").await.status, 200);
        // Another one ends the one before; its end is the token's.
        let another = act_for(&app, ada.id, root.id).await.unwrap();
        acting.get("/me").await.is(401, "invalid_credential");
        let acting = app.bearer(another.as_str());
        app.sql("UPDATE sessions SET expires_at = created_at WHERE impersonator_id IS NOT NULL").await;
        acting.get("/me").await.is(401, "invalid_credential");
    }
}
