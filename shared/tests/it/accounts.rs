//! Users, their tokens and keys, and their audit log.

use std::net::IpAddr;

use sea_orm::{ActiveModelTrait, ActiveValue::Set, ConnectionTrait, EntityTrait, IntoActiveModel, PaginatorTrait};
use usher_shared::{
    accounts::{
        api_keys::{self, KeyRing, Scope},
        mail_tokens::{self, LinkPurpose, RedeemError},
        password_hash,
        sessions::{self, Device},
        users::{self, CreateUserError, Edit, NewUser},
    },
    audit::{self, Actor, Entry},
    foundation::{
        db::{self, PoolOptions, SchemaError},
        entity::{job, user},
        rules::{Age, Email, EmailPolicy, Name, Password},
        time::now,
    },
    jobs::{self, JobStore},
};
use usher_testkit::{Postgres, Statements, TestDb, on_both};

use crate::fixtures::job_store;

fn ada(email: &str) -> NewUser {
    NewUser {
        name: Name::parse("Ada Lovelace").unwrap(),
        email: Email::parse(email, EmailPolicy::default()).unwrap(),
        age: Some(Age::parse(36).unwrap()),
    }
}

async fn create(job_store: &JobStore, email: &str) -> Result<user::Model, CreateUserError> {
    let tx = job_store.begin().await?;
    let user = users::create(&tx, &ada(email), &Actor::system()).await?;
    tx.commit().await?;
    Ok(user)
}

#[on_both]
async fn a_user_and_the_welcome_job_commit_together(db: TestDb) {
    let job_store = job_store(&db).await;
    let user = create(&job_store, "Ada@Example.org").await.unwrap();
    assert_eq!(
        (user.email.as_str(), user.email_key.as_str(), user.age),
        ("Ada@example.org", "ada@example.org", Some(36))
    );
    let job = job::Entity::find().one(job_store.db()).await.unwrap().unwrap();
    assert_eq!((job.kind.as_str(), job.user_id), ("welcome_email", Some(user.id)));
    assert_eq!(job.payload, serde_json::json!({"user_id": user.id}));
    let read = user::Entity::find_by_id(user.id)
        .one(job_store.db())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(read, user, "what is read back is what was written, times included");
}

#[on_both]
async fn what_creates_changes_and_signs_in_costs_no_more_where_there_are_no_hooks(db: TestDb) {
    let mut connection = db.connect().await;
    let statements = Statements::of(&mut connection);
    let job_store = JobStore::new(connection, jobs::connect(None, true));
    let tx = job_store.begin().await.unwrap();
    let cost = || statements.take().len();
    let _ = cost();
    let user = users::create(&tx, &ada("ada@example.org"), &Actor::system())
        .await
        .unwrap();
    assert_eq!(cost(), 4, "the user, the audit row, the event, the welcome job");
    let edit = Edit {
        age: Some(None),
        ..Edit::default()
    };
    let user = users::edit(&tx, user, edit, &Actor::system()).await.unwrap();
    assert_eq!(cost(), 3, "the user, the audit row, the event");
    sessions::start(&**tx, user.id, Device::default(), false).await.unwrap();
    assert_eq!(cost(), 1, "the session");
}

#[on_both]
async fn the_same_address_many_times_at_once_makes_one_user_and_one_job(db: TestDb) {
    let job_store = job_store(&db).await;
    let calls = (0..30).map(|n| {
        let job_store = job_store.clone();
        async move {
            create(
                &job_store,
                if n % 2 == 0 {
                    "ada@example.org"
                } else {
                    "ADA@EXAMPLE.ORG"
                },
            )
            .await
        }
    });
    let answers = futures::future::join_all(calls).await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
    assert!(
        answers
            .iter()
            .flat_map(|answer| answer.as_ref().err())
            .all(|e| matches!(e, CreateUserError::EmailTaken))
    );
    assert_eq!(job::Entity::find().count(job_store.db()).await.unwrap(), 1);
}

#[on_both]
async fn a_mail_token_is_used_once(db: TestDb) {
    let job_store = job_store(&db).await;
    let user = create(&job_store, "ada@example.org").await.unwrap();
    let conn = job_store.db();
    let purpose = LinkPurpose::SET_PASSWORD;
    let token = mail_tokens::issue(conn, user.id, purpose, chrono::Duration::hours(1))
        .await
        .unwrap();
    let sibling = mail_tokens::issue(conn, user.id, purpose, chrono::Duration::hours(1))
        .await
        .unwrap();
    let late = mail_tokens::issue(conn, user.id, purpose, chrono::Duration::zero())
        .await
        .unwrap();
    assert!(mail_tokens::peek(conn, token.as_str(), purpose).await.is_ok());
    assert!(matches!(
        mail_tokens::redeem(conn, late.as_str(), purpose).await,
        Err(RedeemError::Expired)
    ));
    let uses = (0..8).map(|_| mail_tokens::redeem(conn, token.as_str(), purpose));
    let won = futures::future::join_all(uses)
        .await
        .into_iter()
        .filter(Result::is_ok)
        .count();
    assert_eq!(won, 1);
    assert!(matches!(
        mail_tokens::redeem(conn, sibling.as_str(), purpose).await,
        Err(RedeemError::Invalid)
    ));
    assert!(matches!(
        mail_tokens::redeem(conn, "umt_nonsense", purpose).await,
        Err(RedeemError::Invalid)
    ));
}

#[on_both]
async fn a_key_is_good_until_it_is_revoked_expires_or_comes_from_elsewhere(db: TestDb) {
    let conn = db.connect().await;
    let home: IpAddr = "10.1.2.3".parse().unwrap();
    let (key, token) = api_keys::create(&conn, "billing", &[Scope::USERS_READ], None, None)
        .await
        .unwrap();
    let keys = KeyRing::new(conn.clone());
    let found = keys.authenticate(token.as_str(), home).await.unwrap().unwrap();
    assert!(api_keys::allows(&found, Scope::USERS_READ) && !api_keys::allows(&found, Scope::USERS_WRITE));
    assert_ne!(found.token_hash, token.as_str().as_bytes(), "the secret is not stored");

    let mut row = key.into_active_model();
    row.allowed_cidrs = Set(Some("10.0.0.0/8 192.168.0.0/16".to_owned()));
    let key = row.update(&conn).await.unwrap();
    assert!(keys.authenticate(token.as_str(), home).await.unwrap().is_some());
    assert!(
        keys.authenticate(token.as_str(), "8.8.8.8".parse().unwrap())
            .await
            .unwrap()
            .is_none()
    );
    let mut row = key.into_active_model();
    row.expires_at = Set(Some(now()));
    let key = row.update(&conn).await.unwrap();
    assert!(keys.authenticate(token.as_str(), home).await.unwrap().is_none());
    let mut row = key.into_active_model();
    row.expires_at = Set(None);
    row.revoked_at = Set(Some(now()));
    row.update(&conn).await.unwrap();
    assert!(keys.authenticate(token.as_str(), home).await.unwrap().is_none());
}

#[on_both]
async fn the_audit_log_can_only_grow(db: TestDb) {
    let conn = db.connect().await;
    let entry = Entry {
        action: "create",
        object_type: "user",
        ..Entry::default()
    };
    audit::record(&conn, &Actor::system(), entry).await.unwrap();
    for tampering in ["UPDATE audit_log SET action = 'x'", "DELETE FROM audit_log"] {
        let refused = conn.execute_unprepared(tampering).await.unwrap_err().to_string();
        assert!(refused.contains("append-only"), "{refused}");
    }
}

#[on_both]
async fn the_schema_that_this_build_needs_is_the_newest_migration(db: TestDb) {
    use usher_migrations::{Migrator, MigratorTrait};
    let conn = db.connect().await;
    db::check_schema(&conn).await.unwrap();
    let newest = Migrator::migrations().last().unwrap().name().to_owned();
    assert_eq!(newest, db::SCHEMA);
    Migrator::down(&conn, Some(1)).await.unwrap();
    assert!(matches!(db::check_schema(&conn).await, Err(SchemaError::Old)));
    Migrator::down(&conn, None).await.unwrap();
    assert!(matches!(db::check_schema(&conn).await, Err(SchemaError::Missing)));
    Migrator::up(&conn, None).await.unwrap();
    db::check_schema(&conn).await.unwrap();
}

#[tokio::test]
async fn a_database_that_is_not_there_is_named_without_its_password() {
    let port = usher_testkit::free_port();
    let url = format!("postgres://usher:hunter2@127.0.0.1:{port}/usher");
    let error = db::connect(&url, &PoolOptions::default())
        .await
        .unwrap_err()
        .to_string();
    assert!(
        error.contains(&format!("127.0.0.1:{port}/usher")) && error.contains("DATABASE_URL"),
        "{error}"
    );
    assert!(!error.contains("hunter2") && !error.contains('\n'), "{error}");
    let missing = db::connect("sqlite:///nowhere/at/all.db", &PoolOptions::default())
        .await
        .unwrap_err()
        .to_string();
    assert!(missing.contains("/nowhere/at/all.db"), "{missing}");
}

#[tokio::test]
async fn a_password_is_checked_against_its_hash() {
    let password = Password::parse("velvet otter canyon 72", &[]).unwrap();
    let hash = password_hash::hash(&password).await.unwrap();
    assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
    assert!(password_hash::verify("velvet otter canyon 72", Some(&hash)).await);
    assert!(!password_hash::verify("velvet otter canyon 73", Some(&hash)).await);
    assert!(!password_hash::verify("velvet otter canyon 72", None).await);
    assert!(!password_hash::verify("velvet otter canyon 72", Some("no hash")).await);
}

#[tokio::test]
async fn a_restarted_postgres_is_not_noticed_by_whoever_comes_later() {
    let mut postgres = Postgres::start().await;
    let db = db::connect(&postgres.url("postgres"), &PoolOptions::default())
        .await
        .unwrap();
    let queries = (0..8).map(|_| db::ping(&db));
    futures::future::try_join_all(queries).await.unwrap();
    postgres.stop();
    postgres.start_again().await;
    tokio::time::sleep(std::time::Duration::from_millis(1_100)).await;
    let queries = (0..8).map(|_| db::ping(&db));
    futures::future::try_join_all(queries)
        .await
        .expect("dead connections are replaced before they are used");
}
