//! The product of these tests: it notes each event in a table, in the transaction that the hook gets.

use sea_orm::{ConnectionTrait, DatabaseConnection, DbErr, EntityTrait, QueryFilter, QueryOrder, entity::prelude::*};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use usher_shared::{
    accounts::{
        Extensions, extend,
        hooks::{
            HookContext, HookError, UserChanged, UserCreated, UserDeleted, UserHooks, UserPurged, UserRestored,
            UserSignedIn, UserVerified,
        },
        mail_tokens::LinkPurpose,
        user_data::UserData,
        users::{self, NewUser, export_rows},
    },
    audit::Actor,
    foundation::{entity::user, rules::Violation},
    jobs::{self, Job, JobStore, Tx},
};
use usher_testkit::{TestDb, create_tables, new_user};

/// A name that hooks refuse.
pub const REFUSED: &str = "Refused";
/// A name that makes them fail.
pub const BROKEN: &str = "Broken";

#[derive(Serialize, Deserialize)]
struct Greet {
    user_id: i64,
}

impl Job for Greet {
    const KIND: &'static str = "greet";

    fn user_id(&self) -> Option<i64> {
        Some(self.user_id)
    }
}

async fn note(context: &HookContext<'_>, event: &str, user: &user::Model) -> Result<(), HookError> {
    let row = seen::ActiveModel {
        note: sea_orm::ActiveValue::Set(format!("{event} {} by {}", user.name, context.actor.label)),
        ..Default::default()
    };
    seen::Entity::insert(row).exec_without_returning(context.tx).await?;
    match user.name.as_str() {
        REFUSED => Err(HookError::refuse("name", Violation::value("Choose another name"))),
        BROKEN => Err("out of paper".into()),
        _ => Ok(()),
    }
}

async fn created(context: &HookContext<'_>, event: &UserCreated<'_>) -> Result<(), HookError> {
    let user_id = event.user.id;
    context.enqueue(Greet { user_id }).await?;
    note(context, "created", event.user).await
}

async fn verified(context: &HookContext<'_>, event: &UserVerified<'_>) -> Result<(), HookError> {
    assert_ne!(event.before.email_verified_at, event.user.email_verified_at);
    note(context, "verified", event.user).await
}

async fn changed(context: &HookContext<'_>, event: &UserChanged<'_>) -> Result<(), HookError> {
    assert_eq!(event.before.version + 1, event.user.version);
    note(context, event.action, event.user).await
}

async fn deleted(context: &HookContext<'_>, event: &UserDeleted<'_>) -> Result<(), HookError> {
    note(context, "deleted", event.user).await
}

async fn restored(context: &HookContext<'_>, event: &UserRestored<'_>) -> Result<(), HookError> {
    note(context, "restored", event.user).await
}

async fn purged(context: &HookContext<'_>, event: &UserPurged<'_>) -> Result<(), HookError> {
    let there = user::Entity::find_by_id(event.user.id).one(context.tx).await?;
    assert!(there.is_some(), "the row is still there");
    note(context, "purged", event.user).await
}

async fn forget_drafts(context: &HookContext<'_>, event: &UserPurged<'_>) -> Result<(), HookError> {
    let forgotten = draft::Entity::update_many()
        .col_expr(draft::Column::Text, Expr::value("[removed]"))
        .col_expr(draft::Column::AuthorId, Expr::value(None::<i64>))
        .filter(draft::Column::AuthorId.eq(event.user.id));
    forgotten.exec(context.tx).await?;
    Ok(())
}

async fn drafts_of(db: &DatabaseConnection, user_id: i64) -> Result<Value, DbErr> {
    let drafts = draft::Entity::find()
        .filter(draft::Column::AuthorId.eq(user_id))
        .order_by_desc(draft::Column::Id);
    export_rows(db, drafts, |draft| json!({ "text": draft.text })).await
}

pub fn register() {
    let hooks = UserHooks::new()
        .on_user_created(created)
        .on_user_verified(verified)
        .on_user_changed(changed);
    let others = UserHooks::new()
        .on_user_deleted(deleted)
        .on_user_restored(restored)
        .on_user_purged(purged)
        .on_user_signed_in(async |context: &HookContext<'_>, event: &UserSignedIn<'_>| {
            let event = (format!("signed in to {:?} as", event.session), event.user);
            note(context, &event.0, event.1).await
        });
    extend(Extensions {
        hooks: hooks.and(others),
        user_data: vec![
            UserData::of("likes")
                .delete(like::Column::UserId)
                .anonymize(like::Column::OfUserId),
            UserData::of("drafts")
                .purge_with(draft::Column::AuthorId, forget_drafts)
                .keep(draft::Column::ReviewerId, "reviews are signed")
                .export(drafts_of),
        ],
        ..Extensions::default()
    });
}

const TABLES: &str = "\
    CREATE TABLE seen (id {id}, note text NOT NULL);
    CREATE TABLE likes (id {id}, user_id bigint NOT NULL REFERENCES users (id), of_user_id bigint REFERENCES users (id));
    CREATE TABLE drafts (id {id}, text text NOT NULL, author_id bigint REFERENCES users (id),
        reviewer_id bigint REFERENCES users (id) ON DELETE SET NULL);";

pub async fn job_store(db: &TestDb) -> JobStore {
    register();
    let connection = db.connect().await;
    create_tables(&connection, TABLES).await;
    JobStore::new(connection, jobs::connect(None, true))
}

pub fn system() -> Actor {
    Actor::system()
}

pub fn person(name: &str) -> NewUser {
    new_user(name, &format!("{}@example.org", name.to_lowercase()))
}

/// A user whose events so far are forgotten.
pub async fn ada(job_store: &JobStore) -> user::Model {
    let user = usher_testkit::sign_up(job_store, "Ada", "ada@example.org").await;
    assert_eq!(seen(job_store).await, ["created Ada by Usher"]);
    user
}

/// What hooks noted since the last call.
pub async fn seen(job_store: &JobStore) -> Vec<String> {
    let rows = seen::Entity::find().order_by_asc(seen::Column::Id);
    let rows = rows.all(job_store.db()).await.unwrap();
    job_store.db().execute_unprepared("DELETE FROM seen").await.unwrap();
    rows.into_iter().map(|row| row.note).collect()
}

/// The users for whom hooks enqueued a job.
pub async fn greeted(job_store: &JobStore) -> Vec<Option<i64>> {
    use usher_shared::foundation::entity::job::{Column, Entity};
    let jobs = Entity::find().filter(Column::Kind.eq(Greet::KIND));
    let jobs = jobs.order_by_asc(Column::Id).all(job_store.db()).await.unwrap();
    jobs.into_iter().map(|job| job.user_id).collect()
}

pub async fn token(job_store: &JobStore, user_id: i64, purpose: LinkPurpose) -> String {
    let hour = chrono::TimeDelta::hours(1);
    let token = usher_shared::accounts::mail_tokens::issue(job_store.db(), user_id, purpose, hour).await;
    token.unwrap().as_str().to_owned()
}

/// The account as it is now, locked for a change.
pub async fn held(tx: &Tx, user_id: i64) -> user::Model {
    users::find_for_change(tx, user_id).await.unwrap().unwrap()
}

/// Runs a change in a transaction and commits it.
#[macro_export]
macro_rules! commit {
    ($job_store:expr, |$tx:ident| $change:expr) => {{
        let $tx = $job_store.begin().await.unwrap();
        let done = $change.await.unwrap();
        $tx.commit().await.unwrap();
        done
    }};
}

pub mod seen {
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "seen")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i64,
        pub note: String,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

pub mod like {
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "likes")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i64,
        pub user_id: i64,
        pub of_user_id: Option<i64>,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

pub mod draft {
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "drafts")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i64,
        pub text: String,
        pub author_id: Option<i64>,
        pub reviewer_id: Option<i64>,
    }

    impl ActiveModelBehavior for ActiveModel {}
}
