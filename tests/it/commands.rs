//! What the management commands do to accounts, beside what the services do.

use std::time::Duration;

use sea_orm::{ConnectionTrait, DbBackend, EntityTrait, PaginatorTrait, Statement};
use usher_shared::{
    accounts::password_hash,
    foundation::{
        crypto::SecretKey,
        entity::{job, user},
    },
};
use usher_testkit::{Folder, Program, TestDb, WAY_BACK, access_left, on_both, plant_access};

const LIMIT: Duration = Duration::from_secs(60);

/// Runs `usher` on this database and returns its exit code and output.
async fn usher(db: &TestDb, arguments: &str) -> (i32, String) {
    let usher = Program::named("usher")
        .env("DATABASE_URL", db.url())
        .env("SECRET_KEY", SecretKey::generate_base64());
    let usher = arguments.split(' ').fold(usher, Program::arg);
    usher.finish(&Folder::new(), LIMIT).await
}

#[on_both]
async fn a_database_with_data_is_rebuilt_from_nothing(db: TestDb) {
    for _ in 0..4 {
        let (code, text) = usher(&db, "seed --users 10").await;
        assert_eq!(code, 0, "{text}");
        let (code, text) = usher(&db, "migrate fresh --yes").await;
        assert_eq!(code, 0, "{text}");
        assert_eq!(user::Entity::find().count(&db.connect().await).await.unwrap(), 0);
    }
    let (code, text) = usher(&db, "migrate down").await;
    assert!(code == 0 && text.contains("Rolled back 1 migration."), "{text}");
    let (code, text) = usher(&db, "migrate down --steps 99").await;
    assert!(code == 0 && text.contains("migrations."), "{text}");
    let (code, text) = usher(&db, "migrate down").await;
    assert!(code == 0 && text.contains("no migration to roll back"), "{text}");
}

/// As when the process is killed midway: what stays of a database must not look whole without its triggers.
#[test]
fn a_database_that_cannot_be_emptied_keeps_everything() {
    usher_testkit::run(async {
        let db = TestDb::postgres().await;
        let app = db.app(&[]).await;
        let ada = usher_testkit::sign_up(&app.job_store, "Ada", "ada@example.org").await;
        let guard = "CREATE SCHEMA guard; \
                     CREATE FUNCTION guard.refuse() RETURNS event_trigger LANGUAGE plpgsql AS \
                     $$ BEGIN RAISE EXCEPTION 'refused'; END $$; \
                     CREATE EVENT TRIGGER guard ON ddl_command_end WHEN TAG IN ('DROP TABLE') \
                     EXECUTE FUNCTION guard.refuse()";
        app.db.execute_unprepared(guard).await.unwrap();
        let (code, text) = usher(&db, "migrate fresh --yes").await;
        assert!(code == 1 && text.contains("refused"), "{text}");
        assert!(user::Entity::find_by_id(ada.id).one(&app.db).await.unwrap().is_some());
        let seals = "SELECT 1 FROM pg_trigger WHERE tgrelid = 'audit_log'::regclass AND NOT tgisinternal";
        let seals = Statement::from_string(DbBackend::Postgres, seals);
        assert!(app.db.query_one_raw(seals).await.unwrap().is_some());
    });
}

#[on_both]
async fn a_person_who_is_not_staff_gets_no_password_by_command(db: TestDb) {
    let app = db.app(&[]).await;
    let ada = usher_testkit::sign_up(&app.job_store, "Ada", "ada@example.org").await;
    let (code, text) = usher(&db, "staff set-password ada@example.org").await;
    assert!(code == 1 && text.contains("isn't a staff account"), "{text}");
    let (code, text) = usher(&db, "staff create ada@example.org").await;
    assert!(code == 1 && text.contains("Set roles"), "{text}");
    let after = user::Entity::find_by_id(ada.id).one(&app.db).await.unwrap();
    assert_eq!(after.unwrap().password_hash, None);
}

#[on_both]
async fn a_password_that_is_set_by_command_ends_what_the_one_before_opened(db: TestDb) {
    let (folder, key) = (Folder::new(), SecretKey::generate_base64());
    let staff = async |arguments: &[&str]| {
        let usher = Program::named("usher")
            .env("DATABASE_URL", db.url())
            .env("SECRET_KEY", &key)
            .arg("staff");
        let (code, text) = arguments
            .iter()
            .fold(usher, |usher, argument| usher.arg(*argument))
            .finish(&folder, LIMIT)
            .await;
        assert_eq!(code, 0, "{text}");
        text
    };
    staff(&["create", "ada@example.org", "--name", "Ada"]).await;
    let conn = db.connect().await;
    let ada = user::Entity::find().one(&conn).await.unwrap().unwrap();
    plant_access(&conn, &SecretKey::from_base64(&key).unwrap(), &ada).await;
    let text = staff(&["set-password", "ada@example.org"]).await;
    assert_eq!(access_left(&conn, ada.id).await, [WAY_BACK]);
    let told = job::Entity::find().one(&conn).await.unwrap().unwrap();
    assert_eq!((told.kind.as_str(), told.user_id), ("password_changed", Some(ada.id)));
    let after = user::Entity::find().one(&conn).await.unwrap().unwrap();
    let shown = text
        .lines()
        .find_map(|line| line.split_once("once: "))
        .expect("a password")
        .1;
    assert!(password_hash::verify(shown, after.password_hash.as_deref()).await && after.version == 2);
}
