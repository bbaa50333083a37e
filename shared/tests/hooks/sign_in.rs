//! Signing in: once per sign-in, not with each new pair of tokens, and not when staff impersonate.

use sea_orm::{ActiveValue::Set, EntityTrait};
use usher_shared::{
    accounts::{
        impersonation,
        sessions::{self, Device, Refreshed},
    },
    foundation::{
        crypto::SecretKey,
        entity::session::{self, SessionKind},
        rules::Reason,
        time::now,
    },
};
use usher_testkit::{TestDb, on_both, superuser};
use uuid::Uuid;

use crate::{
    commit,
    product::{ada, job_store, seen, system},
};

#[on_both]
async fn a_sign_in_is_told_once_and_a_refresh_is_none(db: TestDb) {
    let job_store = job_store(&db).await;
    let user = ada(&job_store).await;
    let key = SecretKey::from_base64(&SecretKey::generate_base64()).unwrap();
    for with_mfa in [false, true] {
        let device = Device::default();
        let (_, pair) = commit!(job_store, |tx| sessions::start(&**tx, user.id, device, with_mfa));
        assert_eq!(seen(&job_store).await, ["signed in to Api as Ada by Ada"]);
        let renewed = commit!(job_store, |tx| sessions::refresh(&tx, &key, &pair.refresh, &system()));
        assert!(matches!(renewed, Refreshed::Pair(..)), "{renewed:?}");
        assert!(seen(&job_store).await.is_empty());
    }
    commit!(job_store, |tx| sessions::signed_in(
        &**tx,
        &user,
        SessionKind::Admin,
        &system()
    ));
    assert_eq!(seen(&job_store).await, ["signed in to Admin as Ada by Usher"]);
}

#[on_both]
async fn an_impersonation_is_no_sign_in(db: TestDb) {
    let job_store = job_store(&db).await;
    let user = ada(&job_store).await;
    let boss = superuser(job_store.db(), "Boss", "boss@example.org", "x").await;
    seen(&job_store).await;
    let own = session::ActiveModel {
        id: Set(Uuid::now_v7()),
        user_id: Set(boss.id),
        kind: Set(SessionKind::Admin),
        token_hash: Set(vec![1]),
        created_at: Set(now()),
        last_seen_at: Set(now()),
        expires_at: Set(now() + chrono::TimeDelta::hours(1)),
        ..Default::default()
    };
    let own = session::Entity::insert(own)
        .exec_with_returning(job_store.db())
        .await
        .unwrap();
    let reason = Reason::parse("Ticket 7").unwrap();
    let staff = (boss.id, own.id);
    commit!(job_store, |tx| impersonation::start(
        &tx,
        user.id,
        staff,
        reason,
        &system()
    ));
    assert!(seen(&job_store).await.is_empty());
}
