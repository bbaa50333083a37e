//! Sessions of the API: tokens, their exchange, and what happens to copies of them.

use std::sync::LazyLock;

use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, PaginatorTrait, QueryFilter};
use usher_shared::{
    SecretKey, Token,
    audit::Actor,
    entity::{audit_log, job, session, spent_refresh_token, user},
    jobs::Ledger,
    rules::{Email, EmailPolicy, Name},
    sessions::{self, Device, Pair, Refreshed, Signed, Which},
    users,
};
use usher_testkit::on_both;

use crate::house::ledger;

static KEY: LazyLock<SecretKey> = LazyLock::new(|| SecretKey::from_base64(&SecretKey::generate_base64()).unwrap());

pub async fn a_user(ledger: &Ledger) -> user::Model {
    let email = Email::parse("ada@example.org", EmailPolicy::default()).unwrap();
    users::create_superuser(ledger.db(), &Name::parse("Ada").unwrap(), &email, "x".to_owned())
        .await
        .unwrap()
}

async fn a_session(ledger: &Ledger) -> (session::Model, Pair) {
    let user = a_user(ledger).await;
    sessions::start(ledger.db(), user.id, Device::default(), false)
        .await
        .unwrap()
}

async fn refresh(ledger: &Ledger, token: &Token) -> Refreshed {
    let tx = ledger.begin().await.unwrap();
    let answer = sessions::refresh(&tx, &KEY, token, &Actor::system()).await.unwrap();
    tx.commit().await.unwrap();
    answer
}

async fn good(ledger: &Ledger, token: &Token) -> Pair {
    match refresh(ledger, token).await {
        Refreshed::Pair(_, pair) => pair,
        other => panic!("{other:?}"),
    }
}

/// The first request with the token.
async fn in_use(ledger: &Ledger, pair: &Pair) -> Signed {
    let signed = sessions::load(ledger.db(), &pair.access)
        .await
        .unwrap()
        .expect("a live session");
    sessions::note_use(ledger.db(), &signed.session).await.unwrap();
    signed
}

/// As if all that was spent had been spent a minute ago.
async fn a_minute_later(ledger: &Ledger) {
    ledger
        .db()
        .execute_unprepared("UPDATE spent_refresh_tokens SET spent_at = '2026-01-01T00:00:00+00:00'")
        .await
        .unwrap();
}

on_both! {
    async fn an_exchange_replaces_both_tokens(db: TestDb) {
        let ledger = ledger(&db).await;
        let (session, first) = a_session(&ledger).await;
        assert!(in_use(&ledger, &first).await.is_fresh(false));
        let second = good(&ledger, &first.refresh).await;
        assert!(sessions::load(ledger.db(), &first.access).await.unwrap().is_none());
        assert_eq!(in_use(&ledger, &second).await.session.id, session.id);
        assert_eq!(spent_refresh_token::Entity::find().count(ledger.db()).await.unwrap(), 1);
    }

    async fn an_answer_that_was_lost_can_be_asked_for_again_however_late(db: TestDb) {
        let ledger = ledger(&db).await;
        let (_, first) = a_session(&ledger).await;
        let lost = good(&ledger, &first.refresh).await;
        a_minute_later(&ledger).await;
        let again = good(&ledger, &first.refresh).await;
        assert_eq!((&again.access, &again.refresh), (&lost.access, &lost.refresh));
        in_use(&ledger, &again).await;
    }

    async fn a_late_request_within_ten_seconds_gets_the_pair_that_is_good_now(db: TestDb) {
        let ledger = ledger(&db).await;
        let (_, first) = a_session(&ledger).await;
        let second = good(&ledger, &first.refresh).await;
        in_use(&ledger, &second).await;
        let third = good(&ledger, &second.refresh).await;
        in_use(&ledger, &third).await;
        assert_eq!(good(&ledger, &first.refresh).await.access, third.access);
        assert_eq!(good(&ledger, &second.refresh).await.refresh, third.refresh);
    }

    async fn a_copy_that_comes_later_ends_the_session(db: TestDb) {
        let ledger = ledger(&db).await;
        let (session, first) = a_session(&ledger).await;
        let second = good(&ledger, &first.refresh).await;
        in_use(&ledger, &second).await;
        a_minute_later(&ledger).await;
        assert!(matches!(refresh(&ledger, &first.refresh).await, Refreshed::Reused));
        assert!(sessions::load(ledger.db(), &second.access).await.unwrap().is_none());
        for token in [&second.refresh, &first.refresh] {
            assert!(matches!(refresh(&ledger, token).await, Refreshed::Refused));
        }
        let ended = session::Entity::find_by_id(session.id).one(ledger.db()).await.unwrap().unwrap();
        assert_eq!(ended.end_reason.as_deref(), Some("refresh token reused"));
        let told = audit_log::Entity::find().filter(audit_log::Column::ObjectType.eq("session"));
        let told = told.one(ledger.db()).await.unwrap().unwrap();
        assert_eq!((told.action.as_str(), told.object_id), ("refresh_token_reused", Some(session.id.to_string())));
        assert_eq!(job::Entity::find().one(ledger.db()).await.unwrap().unwrap().kind, "session_reuse");
    }

    async fn two_generations_old_is_reuse_even_when_the_newest_is_unused(db: TestDb) {
        let ledger = ledger(&db).await;
        let (_, first) = a_session(&ledger).await;
        let second = good(&ledger, &first.refresh).await;
        let third = good(&ledger, &second.refresh).await;
        a_minute_later(&ledger).await;
        assert_eq!(good(&ledger, &second.refresh).await.access, third.access, "the one before is answered");
        assert!(matches!(refresh(&ledger, &first.refresh).await, Refreshed::Reused));
    }

    async fn many_at_once_get_one_pair_and_keep_the_session(db: TestDb) {
        let ledger = ledger(&db).await;
        let (session, first) = a_session(&ledger).await;
        let tabs = (0..10).map(|_| {
            let (ledger, token) = (ledger.clone(), first.refresh.clone());
            async move { good(&ledger, &token).await.access }
        });
        let answers = futures::future::join_all(tabs).await;
        assert!(answers.iter().all(|access| *access == answers[0]));
        let signed = sessions::load(ledger.db(), &answers[0]).await.unwrap().unwrap();
        assert_eq!(signed.session.id, session.id);
        assert_eq!(spent_refresh_token::Entity::find().count(ledger.db()).await.unwrap(), 1);
    }

    async fn what_ended_or_ran_out_opens_nothing(db: TestDb) {
        let ledger = ledger(&db).await;
        let (session, pair) = a_session(&ledger).await;
        let (_, other) = sessions::start(ledger.db(), session.user_id, Device::default(), false).await.unwrap();
        assert_eq!(sessions::end(ledger.db(), session.user_id, Which::Others(session.id), "test").await.unwrap(), 1);
        assert!(sessions::load(ledger.db(), &other.access).await.unwrap().is_none());
        let past = "'2026-01-01T00:00:00+00:00'";
        for (column, refreshes) in [("token_expires_at", true), ("last_seen_at", false), ("expires_at", false)] {
            let (_, pair) = sessions::start(ledger.db(), session.user_id, Device::default(), false).await.unwrap();
            let hash = pair.access.hash().iter().map(|byte| format!("{byte:02x}")).collect::<String>();
            let literal = match ledger.db().get_database_backend() {
                sea_orm::DbBackend::Postgres => format!("'\\x{hash}'::bytea"),
                _ => format!("x'{hash}'"),
            };
            ledger.db().execute_unprepared(&format!("UPDATE sessions SET {column} = {past} WHERE token_hash = {literal}")).await.unwrap();
            assert!(sessions::load(ledger.db(), &pair.access).await.unwrap().is_none(), "{column}");
            assert_eq!(matches!(refresh(&ledger, &pair.refresh).await, Refreshed::Pair(..)), refreshes, "{column}");
        }
        ledger.db().execute_unprepared("UPDATE users SET status = 'locked'").await.unwrap();
        assert!(sessions::load(ledger.db(), &pair.access).await.unwrap().is_none());
        assert!(matches!(refresh(&ledger, &pair.refresh).await, Refreshed::Refused));
        ledger.db().execute_unprepared("UPDATE users SET status = 'active'").await.unwrap();
        assert!(sessions::load(ledger.db(), &pair.access).await.unwrap().is_some(), "a lock ends no session");
    }
}
