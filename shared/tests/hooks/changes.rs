//! Every way in which an account is changed, deleted, restored and purged.

use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, sea_query::Expr};
use usher_shared::{
    accounts::{
        mail_tokens::LinkPurpose,
        staff::{
            bulk::{BulkAction, BulkJob, Objects, OrderingActor, order},
            roles::{self, Access},
        },
        users::{self, Edit, StatusChange},
    },
    audit::Actor,
    foundation::{
        entity::{audit_log::ActorKind, job_item::ItemOutcome, user},
        rules::{Age, Name, Reason},
        time::now,
    },
    jobs::JobStore,
};
use usher_testkit::{TestDb, email, on_both, sign_up, superuser};

use crate::{
    commit,
    product::{REFUSED, ada, held, job_store, seen, system, token},
};

#[on_both]
async fn an_edit_is_told_and_one_that_changes_nothing_is_not(db: TestDb) {
    let job_store = job_store(&db).await;
    let user = ada(&job_store).await;
    let edit = Edit {
        age: Some(Age::parse(36).ok()),
        ..Edit::default()
    };
    for told in [vec!["update Ada by Usher"], vec![]] {
        commit!(job_store, |tx| async {
            users::edit(&tx, held(&tx, user.id).await, edit.clone(), &system()).await
        });
        assert_eq!(seen(&job_store).await, told);
    }
    let tx = job_store.begin().await.unwrap();
    let edit = Edit {
        name: Some(Name::parse("Grace").unwrap()),
        ..Edit::default()
    };
    users::edit(&tx, held(&tx, user.id).await, edit, &system())
        .await
        .unwrap();
    tx.rollback().await.unwrap();
    assert!(seen(&job_store).await.is_empty(), "what is rolled back was never told");
}

#[on_both]
async fn a_status_and_roles_are_told(db: TestDb) {
    let job_store = job_store(&db).await;
    let user = ada(&job_store).await;
    for (change, action) in [
        (StatusChange::Locked { until: None }, "lock"),
        (StatusChange::Unlocked, "unlock"),
        (StatusChange::Deactivated, "deactivate"),
        (StatusChange::Reactivated, "reactivate"),
    ] {
        commit!(job_store, |tx| async {
            users::change_status(&tx, held(&tx, user.id).await, change, None, &system()).await
        });
        assert_eq!(seen(&job_store).await, [format!("{action} Ada by Usher")]);
    }
    let access = Access {
        staff: true,
        ..Access::default()
    };
    commit!(job_store, |tx| async {
        roles::set_access(&tx, held(&tx, user.id).await, &access, None, &system()).await
    });
    assert_eq!(seen(&job_store).await, ["set_roles Ada by Usher"]);
}

#[on_both]
async fn a_password_and_a_new_address_are_told(db: TestDb) {
    let job_store = job_store(&db).await;
    let user = ada(&job_store).await;
    let hash = || "hash".to_owned();
    let link = token(&job_store, user.id, LinkPurpose::SET_PASSWORD).await;
    commit!(job_store, |tx| users::set_first_password(&tx, &link, hash(), &system()));
    assert_eq!(
        seen(&job_store).await,
        ["set_password Ada by Ada", "verified Ada by Ada"]
    );
    commit!(job_store, |tx| async {
        users::replace_password(&tx, &held(&tx, user.id).await, hash(), None, &system()).await
    });
    assert_eq!(seen(&job_store).await, ["change_password Ada by Usher"]);
    let link = token(&job_store, user.id, LinkPurpose::PASSWORD_RESET).await;
    commit!(job_store, |tx| users::reset_password(&tx, &link, hash(), &system()));
    assert_eq!(seen(&job_store).await, ["reset_password Ada by Ada"]);

    let about = |purpose, address: &'static str| {
        let (db, id) = (job_store.db().clone(), user.id);
        async move {
            let hour = chrono::TimeDelta::hours(1);
            let token = usher_shared::accounts::mail_tokens::issue_about(&db, id, purpose, hour, address).await;
            token.unwrap().as_str().to_owned()
        }
    };
    let link = about(LinkPurpose::EMAIL_CHANGE_CONFIRM, "new@example.org").await;
    commit!(job_store, |tx| users::confirm_email_change(&tx, &link, &system()));
    assert_eq!(
        seen(&job_store).await,
        ["change_email Ada by Ada", "verified Ada by Ada"]
    );
    let link = about(LinkPurpose::EMAIL_CHANGE_UNDO, "ada@example.org").await;
    commit!(job_store, |tx| users::undo_email_change(&tx, &link, &system()));
    assert_eq!(
        seen(&job_store).await,
        ["undo_email_change Ada by Ada", "verified Ada by Ada"]
    );
}

#[on_both]
async fn an_address_that_goes_to_its_owner_is_told_of_both_accounts(db: TestDb) {
    let job_store = job_store(&db).await;
    let user = ada(&job_store).await;
    sign_up(&job_store, "Squatter", "new@example.org").await;
    seen(&job_store).await;
    commit!(job_store, |tx| async {
        users::ask_email_change(&tx, &held(&tx, user.id).await, &email("new@example.org"), &system()).await
    });
    assert!(seen(&job_store).await.is_empty());
    let hour = chrono::TimeDelta::hours(1);
    let purpose = LinkPurpose::EMAIL_CHANGE_CONFIRM;
    let db = job_store.db();
    let link = usher_shared::accounts::mail_tokens::issue_about(db, user.id, purpose, hour, "new@example.org").await;
    let link = link.unwrap();
    commit!(job_store, |tx| users::confirm_email_change(
        &tx,
        link.as_str(),
        &system()
    ));
    let told = [
        "release_email Squatter by Usher",
        "change_email Ada by Ada",
        "verified Ada by Ada",
    ];
    assert_eq!(seen(&job_store).await, told);
}

#[on_both]
async fn deleting_at_once_later_and_not_after_all_is_told(db: TestDb) {
    let job_store = job_store(&db).await;
    let user = ada(&job_store).await;
    commit!(job_store, |tx| async {
        users::delete(&tx, held(&tx, user.id).await, None, &system()).await
    });
    assert_eq!(seen(&job_store).await, ["deleted Ada by Usher"]);
    commit!(job_store, |tx| users::restore(&tx, user.id, &system()));
    assert_eq!(seen(&job_store).await, ["restored Ada by Usher"]);
    commit!(job_store, |tx| async {
        users::schedule_deletion(&tx, held(&tx, user.id).await, &system()).await
    });
    assert_eq!(seen(&job_store).await, ["schedule_deletion Ada by Usher"]);
    let link = token(&job_store, user.id, LinkPurpose::CANCEL_DELETION).await;
    commit!(job_store, |tx| users::keep(&tx, &link, &system()));
    assert_eq!(
        seen(&job_store).await,
        ["keep_account Ada by Ada", "verified Ada by Ada"]
    );
    set_time(&job_store, user.id, user::Column::DeleteAt, now()).await;
    assert!(commit!(job_store, |tx| users::delete_if_due(&tx, user.id)));
    assert_eq!(seen(&job_store).await, ["deleted Ada by Usher"]);
}

#[on_both]
async fn a_purge_is_told_and_a_hook_that_refuses_it_keeps_the_account(db: TestDb) {
    let job_store = job_store(&db).await;
    let user = ada(&job_store).await;
    assert!(
        !commit!(job_store, |tx| users::purge(&tx, user.id)),
        "it is not deleted"
    );
    let long_ago = now() - chrono::TimeDelta::days(31);
    set_time(&job_store, user.id, user::Column::DeletedAt, long_ago).await;
    let rename = format!("UPDATE users SET name = '{REFUSED}' WHERE id = {}", user.id);
    job_store.db().execute_unprepared(&rename).await.unwrap();
    let tx = job_store.begin().await.unwrap();
    let refused = users::purge(&tx, user.id).await.unwrap_err();
    drop(tx);
    assert!(refused.to_string().contains("Choose another name"), "{refused}");
    job_store
        .db()
        .execute_unprepared("UPDATE users SET name = 'Ada'")
        .await
        .unwrap();
    assert!(commit!(job_store, |tx| users::purge(&tx, user.id)));
    assert_eq!(seen(&job_store).await, ["purged Ada by Usher"]);
    assert_eq!(user::Entity::find().one(job_store.db()).await.unwrap(), None);
}

#[on_both]
async fn a_bulk_action_is_told_of_each_row_and_a_refusal_is_its_outcome(db: TestDb) {
    let job_store = job_store(&db).await;
    let boss = superuser(job_store.db(), "Boss", "boss@example.org", "x").await;
    let boss = Actor::new(ActorKind::User, Some(boss.id), boss.name);
    let [ada, bob] = [
        sign_up(&job_store, "Ada", "ada@example.org").await,
        sign_up(&job_store, "Bob", "bob@example.org").await,
    ];
    let rename = format!("UPDATE users SET name = '{REFUSED}' WHERE id = {}", bob.id);
    job_store.db().execute_unprepared(&rename).await.unwrap();
    seen(&job_store).await;
    let ordered = commit!(job_store, |tx| order(
        &tx,
        BulkAction::LockUsers { until: None },
        Objects::Ids(vec![ada.id, bob.id]),
        Reason::parse("Spam").ok(),
        &boss
    ));
    let job = BulkJob {
        what: BulkAction::LockUsers { until: None },
        reason: None,
        actor: boss.clone(),
    };
    let actor = OrderingActor::of(&job_store, &job).await.unwrap();
    let mut outcomes = vec![];
    for id in [ada.id, bob.id] {
        outcomes.push(actor.apply(&job_store, ordered.job_id, &id.to_string()).await.unwrap());
    }
    assert_eq!(outcomes, [Some(ItemOutcome::Done), Some(ItemOutcome::Failed)]);
    assert_eq!(seen(&job_store).await, ["lock Ada by Boss"]);
}

async fn set_time(job_store: &JobStore, id: i64, column: user::Column, at: chrono::DateTime<chrono::Utc>) {
    let update = user::Entity::update_many().col_expr(column, Expr::value(at));
    let update = update.filter(user::Column::Id.eq(id)).exec(job_store.db()).await;
    update.unwrap();
}
