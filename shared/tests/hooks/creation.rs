//! Every way in which an account is created.

use futures::future::join_all;
use sea_orm::{EntityTrait, PaginatorTrait};
use usher_shared::{
    accounts::{
        mail_tokens::LinkPurpose,
        users::{self, ChangeError, CreateUserError, Edit, UserBatchInserter},
    },
    foundation::{
        entity::{job, user},
        rules::{ExternalId, Name, Password},
    },
    jobs::JobStore,
};
use usher_testkit::{Statements, TestDb, email, on_both, superuser};

use crate::{
    commit,
    product::{BROKEN, REFUSED, greeted, held, job_store, person, seen, system, token},
};

#[on_both]
async fn one_created_by_a_service_by_staff_or_by_a_command_is_told_once(db: TestDb) {
    let job_store = job_store(&db).await;
    let by = &system();
    let ada = commit!(job_store, |tx| users::create(&tx, &person("Ada"), by));
    assert_eq!(seen(&job_store).await, ["created Ada by Usher"]);
    assert_eq!(greeted(&job_store).await, [Some(ada.id)]);
    commit!(job_store, |tx| users::create_quietly(&**tx, &person("Bob"), by));
    assert_eq!(seen(&job_store).await, ["created Bob by Usher"]);
    let id = ExternalId::parse("crm-7").unwrap();
    commit!(job_store, |tx| users::create_external(&tx, &person("Eve"), &id, by));
    assert_eq!(seen(&job_store).await, ["created Eve by Usher"]);
    let (name, hash) = (Name::parse("Joan").unwrap(), "x".to_owned());
    commit!(job_store, |tx| users::create_staff(
        &**tx,
        &name,
        &email("joan@example.org"),
        hash
    ));
    assert_eq!(seen(&job_store).await, ["created Joan by Usher"]);
    superuser(job_store.db(), "Root", "root@example.org", "x").await;
    assert_eq!(seen(&job_store).await, ["created Root by Usher"]);
    commit!(job_store, |tx| users::announce_created(
        &**tx,
        &[ada.clone(), ada.clone()],
        by
    ));
    assert_eq!(seen(&job_store).await, ["created Ada by Usher", "created Ada by Usher"]);
}

#[on_both]
async fn a_refusal_names_the_field_and_a_failure_is_the_databases_and_nothing_is_written(db: TestDb) {
    let job_store = job_store(&db).await;
    let tx = job_store.begin().await.unwrap();
    let refused = users::create(&tx, &person(REFUSED), &system()).await.unwrap_err();
    tx.commit().await.unwrap();
    let CreateUserError::Refused(fields) = refused else {
        panic!("{refused:?}")
    };
    assert_eq!(fields.to_string(), "name: Choose another name");
    assert_eq!((fields.0[0].0, fields.0[0].1.kind.as_str()), ("name", "value_error"));
    let tx = job_store.begin().await.unwrap();
    let failed = users::create(&tx, &person(BROKEN), &system()).await.unwrap_err();
    drop(tx);
    assert!(matches!(&failed, CreateUserError::Db(_)), "{failed:?}");
    assert!(failed.to_string().contains("out of paper"), "{failed}");
    assert_eq!(user::Entity::find().count(job_store.db()).await.unwrap(), 0);
    assert_eq!(job::Entity::find().count(job_store.db()).await.unwrap(), 0);
    assert!(seen(&job_store).await.is_empty());
}

#[on_both]
async fn of_many_at_once_each_is_told_and_only_those_that_a_hook_refuses_fail(db: TestDb) {
    let job_store = job_store(&db).await;
    let inserter = UserBatchInserter::new(job_store.clone());
    let names = ["Ada", "Bob", REFUSED, "Eve", BROKEN, "Joan"];
    let made = names.map(|name| inserter.create(person(name), system()));
    let made = join_all(made).await;
    let outcomes = made.iter().map(|made| match made {
        Ok(_) => "created",
        Err(CreateUserError::Refused(_)) => "refused",
        Err(CreateUserError::Db(_)) => "failed",
        Err(_) => "other",
    });
    let expected = ["created", "created", "refused", "created", "failed", "created"];
    assert_eq!(outcomes.collect::<Vec<_>>(), expected);
    let mut noted = seen(&job_store).await;
    noted.sort_unstable();
    assert_eq!(
        noted,
        ["Ada", "Bob", "Eve", "Joan"].map(|name| format!("created {name} by Usher"))
    );
    assert_eq!(greeted(&job_store).await.len(), 4);
}

async fn sign_up(job_store: &JobStore, name: &str, password: &str) -> user::Model {
    let password = Password::parse(password, &[]).unwrap();
    users::sign_up(job_store, &person(name), &password, &system())
        .await
        .unwrap();
    let key = person(name).email.key().to_owned();
    users::find_by_email_key(job_store.db(), &key).await.unwrap().unwrap()
}

#[on_both]
async fn a_transaction_goes_on_after_a_refusal(db: TestDb) {
    let job_store = job_store(&db).await;
    let ada = crate::product::ada(&job_store).await;
    let tx = job_store.begin().await.unwrap();
    for name in ["Bob", REFUSED, "Eve"] {
        let made = users::create(&tx, &person(name), &system()).await;
        assert_eq!(made.is_ok(), name != REFUSED, "{made:?}");
        let edit = Edit {
            name: Some(Name::parse(name).unwrap()),
            email: Some(email(&format!("{}@example.com", name.to_lowercase()))),
            ..Edit::default()
        };
        let edited = users::edit(&tx, held(&tx, ada.id).await, edit, &system()).await;
        assert_eq!(edited.is_ok(), name != REFUSED, "{edited:?}");
    }
    tx.commit().await.unwrap();
    let told = ["created Bob", "update Bob", "created Eve", "update Eve"];
    assert_eq!(seen(&job_store).await, told.map(|told| format!("{told} by Usher")));
    assert_eq!(user::Entity::find().count(job_store.db()).await.unwrap(), 3);
}

#[on_both]
async fn sign_ups_with_known_and_unknown_addresses_cost_the_same_statements(db: TestDb) {
    let known = job_store(&db).await;
    let mut connection = known.db().clone();
    let statements = Statements::of(&mut connection);
    let job_store = JobStore::new(connection, known.transport().clone());
    let mut costs = vec![];
    for _ in 0..2 {
        sign_up(&job_store, "Ada", PASSWORD).await;
        costs.push(statements.take());
    }
    assert!(!costs[0].is_empty());
    assert_eq!(costs[0], costs[1]);
}

const PASSWORD: &str = "velvet otter canyon 72";

#[on_both]
async fn a_self_sign_up_is_told_when_its_address_is_verified_and_only_then(db: TestDb) {
    let job_store = job_store(&db).await;
    let ada = sign_up(&job_store, "Ada", PASSWORD).await;
    // What they don't agree on is removed, so the account has no password.
    sign_up(&job_store, "Ada", "another otter canyon 73").await;
    let tx = job_store.begin().await.unwrap();
    let edit = Edit {
        name: Some(Name::parse("Grace").unwrap()),
        ..Edit::default()
    };
    users::edit(&tx, held(&tx, ada.id).await, edit, &system())
        .await
        .unwrap();
    users::delete(&tx, held(&tx, ada.id).await, None, &system())
        .await
        .unwrap();
    users::restore(&tx, ada.id, &system()).await.unwrap();
    tx.commit().await.unwrap();
    assert!(seen(&job_store).await.is_empty(), "nobody's account is no event");
    let link = token(&job_store, ada.id, LinkPurpose::VERIFY_EMAIL).await;
    commit!(job_store, |tx| users::verify_email(&tx, &link, None, &system()));
    let told = ["created Grace by Grace", "verified Grace by Grace"];
    assert_eq!(seen(&job_store).await, told);
    assert_eq!(greeted(&job_store).await, [Some(ada.id)]);

    // It looks like a new sign-up again, but hooks know it.
    let edit = Edit {
        email: Some(email("grace@example.org")),
        ..Edit::default()
    };
    commit!(job_store, |tx| async {
        users::edit(&tx, held(&tx, ada.id).await, edit, &system()).await
    });
    let link = token(&job_store, ada.id, LinkPurpose::PASSWORD_RESET).await;
    commit!(job_store, |tx| users::reset_password(
        &tx,
        &link,
        "hash".to_owned(),
        &system()
    ));
    let told = [
        "update Grace by Usher",
        "reset_password Grace by Grace",
        "verified Grace by Grace",
    ];
    assert_eq!(seen(&job_store).await, told);
}

#[on_both]
async fn a_first_password_verifies_a_self_sign_up_as_well(db: TestDb) {
    let job_store = job_store(&db).await;
    let ada = sign_up(&job_store, "Ada", PASSWORD).await;
    let link = token(&job_store, ada.id, LinkPurpose::VERIFY_EMAIL).await;
    let hash = Some("hash".to_owned());
    commit!(job_store, |tx| users::verify_email(&tx, &link, hash, &system()));
    // The name of the sign-up is replaced, because it may be somebody else's.
    let told = ["created ada by Ada", "verified ada by Ada"];
    assert_eq!(seen(&job_store).await, told);
}

#[on_both]
async fn a_hook_that_refuses_a_self_sign_up_leaves_the_link_valid(db: TestDb) {
    let job_store = job_store(&db).await;
    let user = sign_up(&job_store, REFUSED, PASSWORD).await;
    let link = token(&job_store, user.id, LinkPurpose::VERIFY_EMAIL).await;
    let tx = job_store.begin().await.unwrap();
    let refused = users::verify_email(&tx, &link, None, &system()).await.unwrap_err();
    drop(tx);
    assert_eq!(refused.to_string(), "name: Choose another name");
    let edit = Edit {
        name: Some(Name::parse("Ada").unwrap()),
        ..Edit::default()
    };
    commit!(job_store, |tx| async {
        users::edit(&tx, held(&tx, user.id).await, edit, &system()).await
    });
    commit!(job_store, |tx| users::verify_email(&tx, &link, None, &system()));
    assert_eq!(seen(&job_store).await.len(), 2);
}

#[on_both]
async fn an_account_that_others_created_is_verified_with_its_first_password(db: TestDb) {
    let job_store = job_store(&db).await;
    let ada = crate::product::ada(&job_store).await;
    let link = token(&job_store, ada.id, LinkPurpose::SET_PASSWORD).await;
    commit!(job_store, |tx| users::set_first_password(
        &tx,
        &link,
        "hash".to_owned(),
        &system()
    ));
    let told = ["set_password Ada by Ada", "verified Ada by Ada"];
    assert_eq!(seen(&job_store).await, told);
    let tx = job_store.begin().await.unwrap();
    let edit = Edit {
        name: Some(Name::parse(REFUSED).unwrap()),
        ..Edit::default()
    };
    let refused = users::edit(&tx, held(&tx, ada.id).await, edit, &system()).await;
    drop(tx);
    assert!(
        matches!(&refused, Err(ChangeError::Refused(fields)) if fields.0[0].0 == "name"),
        "{refused:?}"
    );
}
