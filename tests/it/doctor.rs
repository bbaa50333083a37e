//! `usher doctor` finds what an operator has to know of.

use std::time::Duration;

use sea_orm::ConnectionTrait;
use usher_testkit::{Folder, Program, TestDb, eventually, on_both};

const SECRET_KEY: &str = "b25seSBmb3IgdGVzdHMsIG5ldmVyIGluIHByb2R1Y3Rpb24=";
const LIMIT: Duration = Duration::from_secs(30);

fn usher(db: &TestDb) -> Program {
    Program::named("usher")
        .env("SECRET_KEY", SECRET_KEY)
        .env("DATABASE_URL", db.url())
}

on_both! {
    async fn a_worker_seals_the_audit_log_and_doctor_sees_who_tampers_with_it(db: TestDb) {
        let folder = Folder::new();
        let make_key = ["key", "create", "--name", "billing", "--scopes", "users:read"];
        let make_key = make_key.into_iter().fold(usher(&db), Program::arg);
        assert_eq!(make_key.finish(&folder, LIMIT).await.0, 0);
        let doctor = usher(&db).arg("doctor");
        let (code, text) = doctor.finish(&folder, LIMIT).await;
        assert!(code == 0 && text.contains("1 rows, 0 of them sealed"), "{text}");

        let _worker = usher(&db).arg("worker").start(&folder).await;
        eventually(LIMIT, "a sealed audit log", async || {
            let (code, text) = doctor.finish(&folder, LIMIT).await;
            (code == 0 && text.contains("1 rows, 1 of them sealed")).then_some(())
        })
        .await;

        let forced = if db.is_postgres() {
            "ALTER TABLE audit_log DISABLE TRIGGER ALL; UPDATE audit_log SET actor_label = 'somebody else';"
        } else {
            "DROP TRIGGER audit_log_no_update; UPDATE audit_log SET actor_label = 'somebody else';"
        };
        db.connect().await.execute_unprepared(forced).await.unwrap();
        let (code, text) = doctor.finish(&folder, LIMIT).await;
        assert!(code != 0 && text.contains("WRONG  audit log") && text.contains("row 1 was changed"), "{text}");
    }
}
