//! New users that arrive together: each once, whole or not at all, whatever the others are.

use futures::future::join_all;
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter};
use usher_shared::{
    accounts::users::{CreateUserError, NewUser, UserBatchInserter},
    audit::{self, Actor},
    foundation::{
        entity::{audit_log, job, user},
        rules::{Age, Email, EmailPolicy, Name},
    },
};
use usher_testkit::{TestDb, on_both};

use crate::fixtures::job_store;

fn person(email: &str) -> NewUser {
    NewUser {
        name: Name::parse("Ada \"Countess\" Łovelace 🦀").unwrap(),
        email: Email::parse(email, EmailPolicy::default()).unwrap(),
        age: Age::parse(36).ok(),
    }
}

#[on_both]
async fn two_hundred_at_once_are_two_hundred_users_with_their_jobs_and_audit_rows(db: TestDb) {
    let job_store = job_store(&db).await;
    let intake = UserBatchInserter::new(job_store.clone());
    let made = (0..200).map(|number| intake.create(person(&format!("a{number}@example.com")), Actor::system()));
    for (number, made) in join_all(made).await.into_iter().enumerate() {
        let user = made.unwrap();
        assert_eq!((user.email, user.age), (format!("a{number}@example.com"), Some(36)));
    }
    let users = user::Entity::find().all(job_store.db()).await.unwrap();
    assert_eq!(users.len(), 200);
    for user in users {
        assert_eq!(user.name, "Ada \"Countess\" Łovelace 🦀");
        assert_eq!(user.created_at, user.updated_at);
        let jobs = job::Entity::find()
            .filter(job::Column::UserId.eq(user.id))
            .all(job_store.db())
            .await
            .unwrap();
        assert_eq!(jobs.len(), 1);
        assert_eq!(jobs[0].payload, serde_json::json!({ "user_id": user.id }));
        assert_eq!(
            (jobs[0].kind.as_str(), jobs[0].actor.as_deref()),
            ("welcome_email", Some("system"))
        );
        let told = audit_log::Entity::find().filter(audit_log::Column::ObjectId.eq(user.id.to_string()));
        let told = told.all(job_store.db()).await.unwrap();
        assert_eq!((told.len(), told[0].action.as_str()), (1, "create"));
        assert_eq!((told[0].on_behalf_of, told[0].reason.as_deref()), (None, None));
    }
    let key = usher_shared::foundation::crypto::SecretKey::from_base64(
        &usher_shared::foundation::crypto::SecretKey::generate_base64(),
    )
    .unwrap();
    let verdict = audit::verify(job_store.db(), &key, |_| {}).await.unwrap();
    assert_eq!((verdict.rows, verdict.faults), (200, vec![]));
}

#[on_both]
async fn one_address_at_once_from_everywhere_is_one_user(db: TestDb) {
    let job_store = job_store(&db).await;
    let intake = UserBatchInserter::new(job_store.clone());
    let made = (0..200).map(|number| {
        let email = if number % 2 == 0 {
            "ada@example.com"
        } else {
            "ADA@example.com"
        };
        intake.create(person(email), Actor::system())
    });
    let made = join_all(made).await;
    assert_eq!(made.iter().filter(|made| made.is_ok()).count(), 1);
    assert!(
        made.iter()
            .all(|made| matches!(made, Ok(_) | Err(CreateUserError::EmailTaken)))
    );
    assert_eq!(user::Entity::find().count(job_store.db()).await.unwrap(), 1);
    assert_eq!(job::Entity::find().count(job_store.db()).await.unwrap(), 1);
    assert_eq!(audit_log::Entity::find().count(job_store.db()).await.unwrap(), 1);
}

#[on_both]
async fn a_job_of_many_runs_like_one_of_its_own(db: TestDb) {
    let job_store = job_store(&db).await;
    let intake = UserBatchInserter::new(job_store.clone());
    let one = intake.create(person("one@example.com"), Actor::system()).await.unwrap();
    let tx = job_store.begin().await.unwrap();
    let other = usher_shared::accounts::users::create(&tx, &person("other@example.com"), &Actor::system())
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let of = async |id: i64| {
        let job = job::Entity::find().filter(job::Column::UserId.eq(id));
        let job = job.one(job_store.db()).await.unwrap().unwrap();
        let grace = job.next_dispatch_at - job.run_at;
        (
            job.queue,
            job.kind,
            job.version,
            job.priority,
            job.state,
            job.epoch,
            grace,
            job.waits,
        )
    };
    assert_eq!(of(one.id).await, of(other.id).await);
}

#[on_both]
async fn when_the_database_refuses_nobody_is_told_otherwise(db: TestDb) {
    let job_store = job_store(&db).await;
    let refuse = if db.is_postgres() {
        "ALTER TABLE users ADD CONSTRAINT no_eves CHECK (email_key <> 'eve@example.com')"
    } else {
        "CREATE TRIGGER no_eves BEFORE INSERT ON users WHEN NEW.email_key = 'eve@example.com'
         BEGIN SELECT RAISE(ABORT, 'no eves'); END"
    };
    sea_orm::ConnectionTrait::execute_unprepared(job_store.db(), refuse)
        .await
        .unwrap();
    let intake = UserBatchInserter::new(job_store.clone());
    let names = ["ada", "eve", "grace", "edsger", "barbara"];
    let made = names.map(|name| intake.create(person(&format!("{name}@example.com")), Actor::system()));
    for (name, made) in names.into_iter().zip(join_all(made).await) {
        assert_eq!(made.is_ok(), name != "eve", "{name}: {made:?}");
    }
    assert_eq!(user::Entity::find().count(job_store.db()).await.unwrap(), 4);
    assert_eq!(job::Entity::find().count(job_store.db()).await.unwrap(), 4);
}
