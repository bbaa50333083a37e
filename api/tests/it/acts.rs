//! Every act that a key can do, with every scope, to every account: the table of acts decides. What is right is written
//! here once more, by hand.

use axum::{body::Body, http::Method};
use sea_orm::{
    ActiveModelTrait,
    ActiveValue::{Set, Unchanged},
    ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter,
};
use serde_json::json;
use usher_shared::{
    accounts::{api_keys::Scope, staff::policy::Act},
    foundation::{
        entity::{
            audit_log, session,
            user::{self, UserStatus},
        },
        time::now,
    },
};
use usher_testkit::{TestDb, on_both};

use crate::app::{Answer, Client, TestApp};

/// What a key needs; none for what keys cannot do.
fn scope(act: Act) -> Option<Scope> {
    Some(match act {
        Act::AddUser
        | Act::ChangeUser
        | Act::LockUser
        | Act::UnlockUser
        | Act::DeactivateUser
        | Act::ReactivateUser => Scope::USERS_WRITE,
        Act::DeleteUser => Scope::USERS_DELETE,
        Act::EndSession => Scope::SESSIONS_WRITE,
        Act::ResendVerification
        | Act::SendPasswordReset
        | Act::SetRoles
        | Act::RevokeSessions
        | Act::ResetMfa
        | Act::Impersonate
        | Act::ClearFailures
        | Act::RestoreUser
        | Act::AddKey
        | Act::ChangeKey
        | Act::RotateKey
        | Act::RevokeKey
        | Act::AddRole
        | Act::ChangeRole
        | Act::DeleteRole
        | Act::RetryJob
        | Act::RunJobNow
        | Act::CancelJob
        | Act::DeleteJob
        | Act::DeleteSuppression => return None,
    })
}

/// The requests that do it.
async fn requests(client: &Client, act: Act, way: usize, user: &user::Model, session: &str) -> Option<Answer> {
    let path = format!("/users/{}", user.id);
    let name = format!("Changed {}", now().timestamp_micros());
    Some(match (act, way) {
        (Act::AddUser, 0) => {
            client
                .post(
                    "/users",
                    &json!({"name": "New", "email": format!("n{}@example.org", now().timestamp_micros())}),
                )
                .await
        }
        (Act::ChangeUser, 0) => client.patch(&path, &json!({ "name": name })).await,
        (Act::ChangeUser, 1) => {
            let body = json!({"name": name, "email": user.email});
            let client = client.clone().with("content-type", "application/json");
            client
                .call(
                    Method::PUT,
                    &format!("/users/by-external-id/x{}", user.id),
                    Body::from(body.to_string()),
                )
                .await
        }
        (Act::LockUser, 0) => client.post(&format!("{path}/lock"), &json!({})).await,
        (Act::UnlockUser, 0) => client.post(&format!("{path}/unlock"), &json!({})).await,
        (Act::DeactivateUser, 0) => client.post(&format!("{path}/deactivate"), &json!({})).await,
        (Act::ReactivateUser, 0) => client.post(&format!("{path}/reactivate"), &json!({})).await,
        (Act::DeleteUser, 0) => client.delete(&path).await,
        (Act::EndSession, 0) => client.delete(&format!("{path}/sessions/{session}")).await,
        _ => return None,
    })
}

async fn prepare(app: &TestApp, act: Act, before: &user::Model) -> String {
    let mut row = before.clone().into_active_model().reset_all();
    row.id = Unchanged(before.id);
    row.status = Set(match act {
        Act::UnlockUser => UserStatus::Locked,
        Act::ReactivateUser => UserStatus::Deactivated,
        _ => UserStatus::Active,
    });
    row.update(&app.context.db).await.unwrap();
    let row = session::ActiveModel {
        id: Set(uuid::Uuid::now_v7()),
        user_id: Set(before.id),
        kind: Set(session::SessionKind::Api),
        token_hash: Set(uuid::Uuid::now_v7().as_bytes().to_vec()),
        created_at: Set(now()),
        last_seen_at: Set(now()),
        expires_at: Set(now() + chrono::TimeDelta::days(1)),
        ..Default::default()
    };
    row.insert(&app.context.db).await.unwrap().id.to_string()
}

async fn done(app: &TestApp) -> usize {
    let by_keys = audit_log::Entity::find().filter(audit_log::Column::ActorKind.eq("api_key"));
    by_keys.all(&app.context.db).await.unwrap().len()
}

#[on_both]
async fn every_act_is_decided_alike_for_every_scope_and_account(db: TestDb) {
    let app = TestApp::with(db, &[("RATE_LIMITS", "off")]).await;
    let maker = app.all_scopes().await;
    let mut accounts = vec![];
    for (name, staff, superuser) in [
        ("user", false, false),
        ("staff", true, false),
        ("superuser", true, true),
    ] {
        let id = maker.sign_up(&format!("{name}@example.org")).await;
        let row = user::ActiveModel {
            id: Unchanged(id),
            is_staff: Set(staff),
            is_superuser: Set(superuser),
            external_id: Set(Some(format!("x{id}"))),
            ..Default::default()
        };
        accounts.push(row.update(&app.context.db).await.unwrap());
    }
    let mut tried = 0;
    for act in Act::ALL {
        assert_eq!(act.rule().scope, scope(act), "{act:?}");
        if scope(act).is_none() {
            continue;
        }
        for held in Scope::BUILT_IN {
            let client = app.key(&[held]).await;
            for account in &accounts {
                for way in 0..2 {
                    let session = prepare(&app, act, account).await;
                    let before = (
                        done(&app).await,
                        user::Entity::find_by_id(account.id).one(&app.context.db).await.unwrap(),
                    );
                    let Some(answer) = requests(&client, act, way, account, &session).await else {
                        continue;
                    };
                    let of_staff = account.is_staff && act != Act::AddUser;
                    let what = format!("{act:?} of {} with {}", account.email, held.as_str());
                    match (scope(act) == Some(held), of_staff) {
                        (true, false) => assert!(answer.status.is_success(), "{what}: {}", answer.text()),
                        (true, true) => drop(answer.is(403, "staff_protected")),
                        (false, _) => drop(answer.is(403, "insufficient_scope")),
                    }
                    let right = scope(act) == Some(held) && !of_staff;
                    assert_eq!(done(&app).await > before.0, right, "{what}");
                    if !right {
                        assert_eq!(
                            user::Entity::find_by_id(account.id).one(&app.context.db).await.unwrap(),
                            before.1,
                            "{what}"
                        );
                    }
                    tried += 1;
                }
            }
        }
    }
    assert!(tried > 150, "{tried}");
}
