//! The second factor: codes of apps, codes on paper, and the time between password and code.

use sea_orm::ConnectionTrait;
use totp_rs::{Algorithm, Builder, Secret};
use usher_shared::{
    accounts::mfa::{self, MAX_ATTEMPTS},
    foundation::{crypto::SecretKey, time::now},
};
use usher_testkit::{TestDb, on_both};
use uuid::Uuid;

use crate::{fixtures::job_store, sessions::a_user};

fn key() -> SecretKey {
    SecretKey::from_base64(&SecretKey::generate_base64()).unwrap()
}

/// The code of a 30-second step, counted from now.
fn code(secret: &[u8], steps: i64) -> String {
    let totp = Builder::new()
        .with_algorithm(Algorithm::SHA1)
        .with_digits(6)
        .with_step_duration(30)
        .with_secret(Secret::from(secret.to_vec()));
    let at = u64::try_from(now().timestamp() + steps * 30).unwrap();
    totp.build_noncompliant().generate(at).to_string()
}

#[on_both]
async fn a_step_is_accepted_once_and_none_before_it(db: TestDb) {
    let (job_store, key) = (job_store(&db).await, key());
    let (user, db) = (a_user(&job_store).await, job_store.db());
    let factor = mfa::enrol(db, &key, user.id, Uuid::now_v7(), "Phone").await.unwrap();
    let secret = mfa::secret(&key, &factor).unwrap();
    assert!(
        !mfa::verify(db, &key, user.id, &code(&secret, 0)).await.unwrap(),
        "it waits to be confirmed"
    );
    assert!(!mfa::has_factor(db, user.id).await.unwrap());
    assert!(!mfa::confirm(db, &key, &factor, "000000").await.unwrap());
    let shown = code(&secret, 0);
    assert!(mfa::confirm(db, &key, &factor, &shown).await.unwrap());
    assert!(mfa::has_factor(db, user.id).await.unwrap());
    assert!(
        !mfa::verify(db, &key, user.id, &shown).await.unwrap(),
        "a code is good once"
    );
    assert!(
        !mfa::verify(db, &key, user.id, &code(&secret, -1)).await.unwrap(),
        "nor is an older one"
    );
    let next = code(&secret, 1);
    let at_once = (0..8).map(|_| mfa::verify(db, &key, user.id, &next));
    let accepted = futures::future::join_all(at_once)
        .await
        .into_iter()
        .filter(|answer| *answer.as_ref().unwrap())
        .count();
    assert_eq!(accepted, 1);
    assert!(
        mfa::remove(db, user.id + 1, factor.id).await.unwrap().is_none(),
        "it is somebody else's"
    );
    assert!(mfa::remove(db, user.id, factor.id).await.unwrap().is_some());
    assert!(!mfa::has_factor(db, user.id).await.unwrap());
}

#[on_both]
async fn a_recovery_code_is_good_once(db: TestDb) {
    let (job_store, key) = (job_store(&db).await, key());
    let (user, db) = (a_user(&job_store).await, job_store.db());
    let old = mfa::make_recovery_codes(db, &key, user.id).await.unwrap();
    let codes = mfa::make_recovery_codes(db, &key, user.id).await.unwrap();
    assert_eq!(
        (codes.len(), mfa::count_recovery_codes(db, user.id).await.unwrap()),
        (10, 10)
    );
    assert!(
        !mfa::use_recovery_code(db, &key, user.id, &old[0]).await.unwrap(),
        "new codes replace the old"
    );
    assert!(
        mfa::use_recovery_code(db, &key, user.id, &codes[0].to_uppercase())
            .await
            .unwrap()
    );
    assert!(!mfa::use_recovery_code(db, &key, user.id, &codes[0]).await.unwrap());
    assert!(!mfa::use_recovery_code(db, &key, user.id + 1, &codes[1]).await.unwrap());
    assert_eq!(mfa::count_recovery_codes(db, user.id).await.unwrap(), 9);
    let factor = mfa::enrol(db, &key, user.id, Uuid::now_v7(), "Phone").await.unwrap();
    let shown = code(&mfa::secret(&key, &factor).unwrap(), 0);
    assert!(mfa::confirm(db, &key, &factor, &shown).await.unwrap());
    mfa::remove(db, user.id, factor.id).await.unwrap();
    assert_eq!(
        mfa::count_recovery_codes(db, user.id).await.unwrap(),
        0,
        "they go with the last factor"
    );
}

#[on_both]
async fn a_challenge_has_five_attempts_one_use_and_an_end(db: TestDb) {
    let job_store = job_store(&db).await;
    let (user, db) = (a_user(&job_store).await, job_store.db());
    let token = mfa::challenge(db, user.id).await.unwrap();
    for attempt in 1..=MAX_ATTEMPTS {
        let tried = mfa::try_challenge(db, &token)
            .await
            .unwrap()
            .expect("an attempt is left");
        assert_eq!((tried.user_id, tried.attempts), (user.id, attempt));
    }
    assert!(mfa::try_challenge(db, &token).await.unwrap().is_none());

    let token = mfa::challenge(db, user.id).await.unwrap();
    let tried = mfa::try_challenge(db, &token).await.unwrap().unwrap();
    assert!(mfa::pass(db, tried.id).await.unwrap());
    assert!(!mfa::pass(db, tried.id).await.unwrap());
    assert!(mfa::try_challenge(db, &token).await.unwrap().is_none());

    let (closed, late) = (
        mfa::challenge(db, user.id).await.unwrap(),
        mfa::challenge(db, user.id).await.unwrap(),
    );
    mfa::close_challenges(db, user.id).await.unwrap();
    assert!(mfa::try_challenge(db, &closed).await.unwrap().is_none());
    db.execute_unprepared("UPDATE mfa_challenges SET used_at = NULL, expires_at = created_at")
        .await
        .unwrap();
    assert!(mfa::try_challenge(db, &late).await.unwrap().is_none());
}
