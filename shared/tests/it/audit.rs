//! The audit log takes no change, and shows one that was forced.

use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend};
use serde_json::json;
use usher_shared::{
    audit::{self, Actor, Entry, Verdict},
    foundation::crypto::SecretKey,
};
use usher_testkit::{TestDb, on_both};

fn key() -> SecretKey {
    SecretKey::from_base64(&SecretKey::generate_base64()).unwrap()
}

async fn write(db: &DatabaseConnection, count: usize) {
    for number in 0..count {
        let entry = Entry {
            action: "update",
            object_type: "user",
            object_id: Some(number.to_string()),
            // Keys that a database may put in another order, and what JSON has to escape.
            changes: Some(json!({"name": ["a\u{1f600}\"", null], "age": [1, 2], "b": {"z": 1.5, "a": true}})),
            reason: Some("line\nbreak".to_owned()),
            ..Entry::default()
        };
        audit::record(db, &Actor::system(), entry).await.unwrap();
    }
}

/// As somebody who owns the database can, past the triggers.
async fn force(db: &DatabaseConnection, sql: &str) {
    let (off, on) = match db.get_database_backend() {
        DbBackend::Postgres => (
            "ALTER TABLE audit_log DISABLE TRIGGER ALL; ALTER TABLE audit_seals DISABLE TRIGGER ALL;",
            "ALTER TABLE audit_log ENABLE TRIGGER ALL; ALTER TABLE audit_seals ENABLE TRIGGER ALL;",
        ),
        _ => (
            "DROP TRIGGER audit_log_no_update; DROP TRIGGER audit_log_no_delete; DROP TRIGGER audit_log_to_seal;
             DROP TRIGGER audit_seals_no_update; DROP TRIGGER audit_seals_no_delete;",
            "",
        ),
    };
    db.execute_unprepared(&format!("{off} {sql}; {on}")).await.unwrap();
}

async fn verdict(db: &DatabaseConnection, key: &SecretKey) -> Verdict {
    audit::verify(db, key, |_| {}).await.unwrap()
}

#[on_both]
async fn an_untouched_log_holds_before_and_after_its_seal(db: TestDb) {
    let (db, key) = (db.connect().await, key());
    write(&db, 3).await;
    let before = verdict(&db, &key).await;
    assert_eq!((before.rows, before.sealed, before.faults.as_slice()), (3, 0, &[][..]));
    assert_eq!(audit::seal(&db, &key).await.unwrap(), 3);
    assert_eq!(audit::seal(&db, &key).await.unwrap(), 0);
    write(&db, 502).await;
    assert_eq!(audit::seal(&db, &key).await.unwrap(), 500);
    let after = verdict(&db, &key).await;
    assert_eq!((after.rows, after.sealed, after.faults.as_slice()), (505, 503, &[][..]));
    assert_eq!(after.head.len(), 64);
}

#[on_both]
async fn nothing_in_the_log_or_its_seals_can_be_rewritten(db: TestDb) {
    let (db, key) = (db.connect().await, key());
    write(&db, 1).await;
    audit::seal(&db, &key).await.unwrap();
    for sql in [
        "UPDATE audit_log SET reason = 'x'",
        "DELETE FROM audit_log",
        "UPDATE audit_seals SET audit_ids = '[]'",
        "DELETE FROM audit_seals",
    ] {
        let error = db.execute_unprepared(sql).await.unwrap_err().to_string();
        assert!(error.contains("append-only"), "{sql}: {error}");
    }
}

#[on_both]
async fn a_forced_change_is_found(db: TestDb) {
    for (sealed, sql, fault) in [
        (
            false,
            "UPDATE audit_log SET reason = 'x' WHERE id = 2",
            "row 2 was changed",
        ),
        (
            true,
            "UPDATE audit_log SET actor_label = 'x' WHERE id = 2",
            "row 2 was changed",
        ),
        // Without a hash of its own the row is still under its seal.
        (
            true,
            "UPDATE audit_log SET reason = 'x', row_hash = NULL WHERE id = 2",
            "seal 1 is not valid",
        ),
        (false, "DELETE FROM audit_log WHERE id = 2", "row 2 is missing"),
        (true, "DELETE FROM audit_log WHERE id = 2", "row 2 is missing"),
        (true, "DELETE FROM audit_seals WHERE id = 1", "seals 1 to 1 are missing"),
        (
            true,
            "INSERT INTO audit_log (at, actor_kind, actor_label, action, object_type) \
             SELECT at, 'system', 'x', 'x', 'x' FROM audit_log WHERE id = 1",
            "1 rows were added outside the chain",
        ),
    ] {
        let fresh = if db.is_postgres() {
            TestDb::postgres().await
        } else {
            TestDb::sqlite().await
        };
        let (db, key) = (fresh.connect().await, key());
        write(&db, 3).await;
        if sealed {
            audit::seal(&db, &key).await.unwrap();
            write(&db, 3).await;
            audit::seal(&db, &key).await.unwrap();
        }
        force(&db, sql).await;
        let faults = verdict(&db, &key).await.faults;
        assert!(faults.iter().any(|found| found.contains(fault)), "{sql}: {faults:?}");
    }
}

#[on_both]
async fn another_key_holds_no_seal(db: TestDb) {
    let db = db.connect().await;
    write(&db, 1).await;
    audit::seal(&db, &key()).await.unwrap();
    let faults = verdict(&db, &key()).await.faults;
    assert!(faults[0].contains("SECRET_KEY"), "{faults:?}");
}

#[on_both]
async fn many_sealers_at_once_make_one_chain(db: TestDb) {
    let (db, key) = (db.connect().await, key());
    write(&db, 40).await;
    let mut sealed = 0;
    while sealed < 80 {
        let sealers = (0..5).map(|_| audit::seal(&db, &key));
        let mut all: Vec<_> = futures::future::join_all(sealers).await;
        if sealed == 0 {
            write(&db, 40).await;
        }
        sealed += all.drain(..).map(Result::unwrap).sum::<usize>();
    }
    let verdict = verdict(&db, &key).await;
    assert_eq!((verdict.sealed, verdict.faults.as_slice()), (80, &[][..]));
}
