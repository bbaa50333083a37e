//! Sessions of the API: tokens, their exchange, and what happens to copies of them.

use std::sync::LazyLock;

use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, PaginatorTrait, QueryFilter};
use usher_shared::{
    accounts::sessions::{self, Device, Pair, Refreshed, Signed, Which},
    audit::Actor,
    foundation::{
        crypto::SecretKey,
        entity::{audit_log, job, session, spent_refresh_token, user},
        token::Token,
    },
    jobs::JobStore,
};
use usher_testkit::{TestDb, on_both, superuser};

use crate::fixtures::job_store;

static KEY: LazyLock<SecretKey> = LazyLock::new(|| SecretKey::from_base64(&SecretKey::generate_base64()).unwrap());

pub async fn a_user(job_store: &JobStore) -> user::Model {
    superuser(job_store.db(), "Ada", "ada@example.org", "x").await
}

async fn a_session(job_store: &JobStore) -> (session::Model, Pair) {
    let user = a_user(job_store).await;
    start(job_store, user.id).await
}

async fn start(job_store: &JobStore, user_id: i64) -> (session::Model, Pair) {
    let tx = job_store.begin().await.unwrap();
    let started = sessions::start(&**tx, user_id, Device::default(), false).await.unwrap();
    tx.commit().await.unwrap();
    started
}

async fn refresh(job_store: &JobStore, token: &Token) -> Refreshed {
    let tx = job_store.begin().await.unwrap();
    let answer = sessions::refresh(&tx, &KEY, token, &Actor::system()).await.unwrap();
    tx.commit().await.unwrap();
    answer
}

async fn good(job_store: &JobStore, token: &Token) -> Pair {
    match refresh(job_store, token).await {
        Refreshed::Pair(_, pair) => pair,
        other => panic!("{other:?}"),
    }
}

/// The first request with the token.
async fn in_use(job_store: &JobStore, pair: &Pair) -> Signed {
    let signed = sessions::load(job_store.db(), &pair.access)
        .await
        .unwrap()
        .expect("a live session");
    sessions::note_use(job_store.db(), &signed.session).await.unwrap();
    signed
}

/// As if all that was spent had been spent a minute ago.
async fn a_minute_later(job_store: &JobStore) {
    job_store
        .db()
        .execute_unprepared("UPDATE spent_refresh_tokens SET spent_at = '2026-01-01T00:00:00+00:00'")
        .await
        .unwrap();
}

#[on_both]
async fn an_exchange_replaces_both_tokens(db: TestDb) {
    let job_store = job_store(&db).await;
    let (session, first) = a_session(&job_store).await;
    assert!(in_use(&job_store, &first).await.is_fresh(false));
    let second = good(&job_store, &first.refresh).await;
    assert!(sessions::load(job_store.db(), &first.access).await.unwrap().is_none());
    assert_eq!(in_use(&job_store, &second).await.session.id, session.id);
    assert_eq!(
        spent_refresh_token::Entity::find().count(job_store.db()).await.unwrap(),
        1
    );
}

#[on_both]
async fn an_answer_that_was_lost_can_be_asked_for_again_however_late(db: TestDb) {
    let job_store = job_store(&db).await;
    let (_, first) = a_session(&job_store).await;
    let lost = good(&job_store, &first.refresh).await;
    a_minute_later(&job_store).await;
    let again = good(&job_store, &first.refresh).await;
    assert_eq!((&again.access, &again.refresh), (&lost.access, &lost.refresh));
    in_use(&job_store, &again).await;
}

#[on_both]
async fn a_late_request_within_ten_seconds_gets_the_pair_that_is_good_now(db: TestDb) {
    let job_store = job_store(&db).await;
    let (_, first) = a_session(&job_store).await;
    let second = good(&job_store, &first.refresh).await;
    in_use(&job_store, &second).await;
    let third = good(&job_store, &second.refresh).await;
    in_use(&job_store, &third).await;
    assert_eq!(good(&job_store, &first.refresh).await.access, third.access);
    assert_eq!(good(&job_store, &second.refresh).await.refresh, third.refresh);
}

#[on_both]
async fn a_copy_that_comes_later_ends_the_session(db: TestDb) {
    let job_store = job_store(&db).await;
    let (session, first) = a_session(&job_store).await;
    let second = good(&job_store, &first.refresh).await;
    in_use(&job_store, &second).await;
    a_minute_later(&job_store).await;
    assert!(matches!(refresh(&job_store, &first.refresh).await, Refreshed::Reused));
    assert!(sessions::load(job_store.db(), &second.access).await.unwrap().is_none());
    for token in [&second.refresh, &first.refresh] {
        assert!(matches!(refresh(&job_store, token).await, Refreshed::Refused));
    }
    let ended = session::Entity::find_by_id(session.id)
        .one(job_store.db())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(ended.end_reason.as_deref(), Some("refresh token reused"));
    let told = audit_log::Entity::find().filter(audit_log::Column::ObjectType.eq("session"));
    let told = told.one(job_store.db()).await.unwrap().unwrap();
    assert_eq!(
        (told.action.as_str(), told.object_id),
        ("refresh_token_reused", Some(session.id.to_string()))
    );
    assert_eq!(
        job::Entity::find().one(job_store.db()).await.unwrap().unwrap().kind,
        "session_reuse"
    );
}

#[on_both]
async fn two_generations_old_is_reuse_even_when_the_newest_is_unused(db: TestDb) {
    let job_store = job_store(&db).await;
    let (_, first) = a_session(&job_store).await;
    let second = good(&job_store, &first.refresh).await;
    let third = good(&job_store, &second.refresh).await;
    a_minute_later(&job_store).await;
    assert_eq!(
        good(&job_store, &second.refresh).await.access,
        third.access,
        "the one before is answered"
    );
    assert!(matches!(refresh(&job_store, &first.refresh).await, Refreshed::Reused));
}

#[on_both]
async fn many_at_once_get_one_pair_and_keep_the_session(db: TestDb) {
    let job_store = job_store(&db).await;
    let (session, first) = a_session(&job_store).await;
    let tabs = (0..10).map(|_| {
        let (job_store, token) = (job_store.clone(), first.refresh.clone());
        async move { good(&job_store, &token).await.access }
    });
    let answers = futures::future::join_all(tabs).await;
    assert!(answers.iter().all(|access| *access == answers[0]));
    let signed = sessions::load(job_store.db(), &answers[0]).await.unwrap().unwrap();
    assert_eq!(signed.session.id, session.id);
    assert_eq!(
        spent_refresh_token::Entity::find().count(job_store.db()).await.unwrap(),
        1
    );
}

#[on_both]
async fn what_ended_or_ran_out_opens_nothing(db: TestDb) {
    let job_store = job_store(&db).await;
    let (session, pair) = a_session(&job_store).await;
    let (_, other) = start(&job_store, session.user_id).await;
    assert_eq!(
        sessions::end(job_store.db(), session.user_id, Which::Others(session.id), "test")
            .await
            .unwrap(),
        1
    );
    assert!(sessions::load(job_store.db(), &other.access).await.unwrap().is_none());
    let past = "'2026-01-01T00:00:00+00:00'";
    for (column, refreshes) in [
        ("token_expires_at", true),
        ("last_seen_at", false),
        ("expires_at", false),
    ] {
        let (_, pair) = start(&job_store, session.user_id).await;
        let hash = pair
            .access
            .hash()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect::<String>();
        let literal = match job_store.db().get_database_backend() {
            sea_orm::DbBackend::Postgres => format!("'\\x{hash}'::bytea"),
            _ => format!("x'{hash}'"),
        };
        job_store
            .db()
            .execute_unprepared(&format!(
                "UPDATE sessions SET {column} = {past} WHERE token_hash = {literal}"
            ))
            .await
            .unwrap();
        assert!(
            sessions::load(job_store.db(), &pair.access).await.unwrap().is_none(),
            "{column}"
        );
        assert_eq!(
            matches!(refresh(&job_store, &pair.refresh).await, Refreshed::Pair(..)),
            refreshes,
            "{column}"
        );
    }
    job_store
        .db()
        .execute_unprepared("UPDATE users SET status = 'locked'")
        .await
        .unwrap();
    assert!(sessions::load(job_store.db(), &pair.access).await.unwrap().is_none());
    assert!(matches!(refresh(&job_store, &pair.refresh).await, Refreshed::Refused));
    job_store
        .db()
        .execute_unprepared("UPDATE users SET status = 'active'")
        .await
        .unwrap();
    assert!(
        sessions::load(job_store.db(), &pair.access).await.unwrap().is_some(),
        "a lock ends no session"
    );
}
