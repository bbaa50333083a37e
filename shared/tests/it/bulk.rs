//! One action on many rows.

use sea_orm::{
    ActiveValue::Set, ColumnTrait, DbErr, EntityTrait, ExprTrait, PaginatorTrait, QueryFilter, QuerySelect, QueryTrait,
};
use usher_shared::{
    accounts::staff::bulk::{BulkAction, BulkError, BulkJob, Objects, Ordered, OrderingActor, left, order, tally},
    audit::Actor,
    foundation::{
        entity::{
            audit_log::{self, ActorKind},
            job::{self, JobState},
            job_item::ItemOutcome,
            role, role_permission,
            user::{self, UserStatus},
            user_role,
        },
        rules::Reason,
        time::now,
    },
    jobs::{EnqueueOptions, Job, JobStore, VerifyEmail},
};
use usher_testkit::{TestDb, on_both, sign_up, superuser};
use uuid::Uuid;

use crate::fixtures::{add, job_store, read};

async fn people(job_store: &JobStore, names: &[&str]) -> Vec<i64> {
    let mut ids = Vec::new();
    for name in names {
        ids.push(sign_up(job_store, name, &format!("{name}@example.org")).await.id);
    }
    ids
}

async fn boss(job_store: &JobStore, name: &str) -> Actor {
    let person = superuser(job_store.db(), name, &format!("{name}@example.org"), "").await;
    Actor::new(ActorKind::User, Some(person.id), person.name)
}

async fn ordered(job_store: &JobStore, what: BulkAction, objects: Objects, actor: &Actor) -> Ordered {
    let tx = job_store.begin().await.unwrap();
    let reason = Reason::parse("a test").unwrap();
    let ordered = order(&tx, what, objects, Some(reason), actor).await.unwrap();
    tx.commit().await.unwrap();
    ordered
}

async fn apply(job_store: &JobStore, job_id: Uuid, object_id: &str) -> Result<Option<ItemOutcome>, DbErr> {
    let order: BulkJob = serde_json::from_value(read(job_store, job_id).await.payload).unwrap();
    let hand = OrderingActor::of(job_store, &order).await.unwrap();
    hand.apply(job_store, job_id, object_id).await
}

async fn status(job_store: &JobStore, id: i64) -> UserStatus {
    user::Entity::find_by_id(id)
        .one(job_store.db())
        .await
        .unwrap()
        .unwrap()
        .status
}

#[on_both]
async fn all_that_match_now_are_written_down_and_each_is_done_once_with_its_audit_row(db: TestDb) {
    let job_store = job_store(&db).await;
    let ids = people(&job_store, &["ada", "grace", "joan"]).await;
    let actor = boss(&job_store, "boss").await;
    let matching = user::Entity::find()
        .select_only()
        .column(user::Column::Id)
        .filter(
            user::Column::Email
                .starts_with("a")
                .or(user::Column::Email.starts_with("g")),
        )
        .into_query();
    let Ordered { job_id, rows } = ordered(
        &job_store,
        BulkAction::DeactivateUsers,
        Objects::Select(Box::new(matching)),
        &actor,
    )
    .await;
    assert_eq!(rows, 2);
    assert_eq!(
        left(job_store.db(), job_id, 10).await.unwrap(),
        [ids[0].to_string(), ids[1].to_string()]
    );
    // Two workers at once, of which one lost its lease.
    let one = ids[0].to_string();
    let (first, second) = tokio::join!(apply(&job_store, job_id, &one), apply(&job_store, job_id, &one));
    let outcomes = [first.unwrap(), second.unwrap()];
    assert_eq!(outcomes.iter().flatten().collect::<Vec<_>>(), [&ItemOutcome::Done]);
    assert_eq!(status(&job_store, ids[0]).await, UserStatus::Deactivated);
    assert_eq!(status(&job_store, ids[1]).await, UserStatus::Active);
    let trail = audit_log::Entity::find()
        .filter(audit_log::Column::ObjectType.eq("user"))
        .filter(audit_log::Column::Action.eq("deactivate"))
        .all(job_store.db())
        .await
        .unwrap();
    assert_eq!(trail.len(), 1);
    assert_eq!(
        (trail[0].actor_id, trail[0].reason.as_deref()),
        (actor.id, Some("a test"))
    );
    let so_far = tally(job_store.db(), job_id).await.unwrap();
    assert_eq!((so_far.done, so_far.left, so_far.percent()), (1, 1, 50));
}

#[on_both]
async fn what_is_so_already_is_skipped_and_what_may_not_be_fails_with_the_reason(db: TestDb) {
    let job_store = job_store(&db).await;
    let ids = people(&job_store, &["ada"]).await;
    let actor = boss(&job_store, "boss").await;
    let own = actor.id.unwrap();
    let job = ordered(
        &job_store,
        BulkAction::UnlockUsers,
        Objects::Ids(vec![ids[0], 999]),
        &actor,
    )
    .await
    .job_id;
    assert_eq!(
        apply(&job_store, job, &ids[0].to_string()).await.unwrap(),
        Some(ItemOutcome::Skipped)
    );
    assert_eq!(apply(&job_store, job, "999").await.unwrap(), Some(ItemOutcome::Skipped));
    let job = ordered(
        &job_store,
        BulkAction::LockUsers { until: None },
        Objects::Ids(vec![own, own]),
        &actor,
    )
    .await;
    assert_eq!(job.rows, 1, "a row is named once");
    assert_eq!(
        apply(&job_store, job.job_id, &own.to_string()).await.unwrap(),
        Some(ItemOutcome::Failed)
    );
    assert_eq!(status(&job_store, own).await, UserStatus::Active);
}

#[on_both]
async fn staff_who_are_no_superusers_leave_staff_alone_and_former_staff_change_nothing(db: TestDb) {
    let job_store = job_store(&db).await;
    let (actor, other) = (boss(&job_store, "boss").await, boss(&job_store, "other").await);
    let demote = |who: i64, superuser: bool, staff: bool| {
        let row = user::ActiveModel {
            is_superuser: Set(superuser),
            is_staff: Set(staff),
            ..Default::default()
        };
        user::Entity::update_many()
            .set(row)
            .filter(user::Column::Id.eq(who))
            .exec(job_store.db())
    };
    let role = role::ActiveModel {
        name: Set("desk".to_owned()),
        description: Set(String::new()),
        version: Set(1),
        created_at: Set(now()),
        updated_at: Set(now()),
        ..Default::default()
    };
    let role = role::Entity::insert(role)
        .exec(job_store.db())
        .await
        .unwrap()
        .last_insert_id;
    let row = role_permission::ActiveModel {
        role_id: Set(role),
        permission: Set("users.deactivate".to_owned()),
    };
    role_permission::Entity::insert(row)
        .exec_without_returning(job_store.db())
        .await
        .unwrap();
    let row = user_role::ActiveModel {
        user_id: Set(actor.id.unwrap()),
        role_id: Set(role),
    };
    user_role::Entity::insert(row)
        .exec_without_returning(job_store.db())
        .await
        .unwrap();
    let id = other.id.unwrap();
    let job = ordered(&job_store, BulkAction::DeactivateUsers, Objects::Ids(vec![id]), &actor)
        .await
        .job_id;
    demote(actor.id.unwrap(), false, true).await.unwrap();
    assert_eq!(
        apply(&job_store, job, &id.to_string()).await.unwrap(),
        Some(ItemOutcome::Failed)
    );
    demote(id, false, true).await.unwrap();
    let job = ordered(&job_store, BulkAction::DeactivateUsers, Objects::Ids(vec![id]), &actor)
        .await
        .job_id;
    assert_eq!(
        apply(&job_store, job, &id.to_string()).await.unwrap(),
        Some(ItemOutcome::Failed)
    );
    assert_eq!(status(&job_store, id).await, UserStatus::Active);
    let order: BulkJob = serde_json::from_value(read(&job_store, job).await.payload).unwrap();
    role_permission::Entity::delete_many()
        .exec(job_store.db())
        .await
        .unwrap();
    assert!(
        matches!(
            OrderingActor::of(&job_store, &order).await,
            Err(BulkError::NotAllowed(..))
        ),
        "the permission is gone"
    );
    demote(actor.id.unwrap(), true, false).await.unwrap();
    assert!(
        matches!(
            OrderingActor::of(&job_store, &order).await,
            Err(BulkError::NotAllowed(..))
        ),
        "no longer staff"
    );
}

#[on_both]
async fn jobs_are_cancelled_and_retried_by_their_ids(db: TestDb) {
    let job_store = job_store(&db).await;
    let actor = boss(&job_store, "boss").await;
    let id = add(&job_store, EnqueueOptions::default()).await.id();
    let notes = job::Entity::find()
        .select_only()
        .column(job::Column::Id)
        .filter(job::Column::Kind.eq("note"))
        .into_query();
    let job = ordered(
        &job_store,
        BulkAction::CancelJobs,
        Objects::Select(Box::new(notes)),
        &actor,
    )
    .await
    .job_id;
    assert_eq!(left(job_store.db(), job, 10).await.unwrap(), [id.to_string()]);
    assert_eq!(
        apply(&job_store, job, &id.to_string()).await.unwrap(),
        Some(ItemOutcome::Done)
    );
    assert_eq!(read(&job_store, id).await.state, JobState::Cancelled);
    let job = ordered(&job_store, BulkAction::ReplayJobs, Objects::Uuids(vec![id]), &actor)
        .await
        .job_id;
    assert_eq!(
        apply(&job_store, job, &id.to_string()).await.unwrap(),
        Some(ItemOutcome::Done)
    );
    assert_eq!(read(&job_store, id).await.state, JobState::Ready);
}

#[on_both]
async fn a_mail_that_is_under_way_is_not_ordered_twice(db: TestDb) {
    let job_store = job_store(&db).await;
    let ids = people(&job_store, &["ada"]).await;
    let actor = boss(&job_store, "boss").await;
    for expected in [ItemOutcome::Done, ItemOutcome::Skipped] {
        let job = ordered(
            &job_store,
            BulkAction::ResendVerification,
            Objects::Ids(ids.clone()),
            &actor,
        )
        .await
        .job_id;
        assert_eq!(
            apply(&job_store, job, &ids[0].to_string()).await.unwrap(),
            Some(expected)
        );
    }
    let mails = job::Entity::find()
        .filter(job::Column::Kind.eq(VerifyEmail::KIND))
        .count(job_store.db())
        .await
        .unwrap();
    assert_eq!(mails, 1);
}
