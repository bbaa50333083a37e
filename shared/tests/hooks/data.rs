//! What apps store about people: when they are purged, when they ask for it, and when an app forgets to say.

use sea_orm::{ActiveValue::Set, ConnectionTrait, EntityTrait, PaginatorTrait};
use serde_json::json;
use usher_shared::{
    accounts::{
        api_keys::{self, Scope},
        sessions::{self, Device},
        user_data,
        users::{self, EXPORT_ROWS},
    },
    foundation::entity::{mail, user},
    jobs::JobStore,
};
use usher_testkit::{TestDb, on_both, sign_up, superuser};

use crate::{
    commit,
    product::{ada, draft, job_store, like},
};

async fn sql(job_store: &JobStore, sql: &str) {
    job_store.db().execute_unprepared(sql).await.unwrap();
}

#[on_both]
async fn rows_about_a_person_go_as_their_app_says(db: TestDb) {
    let job_store = job_store(&db).await;
    let conn = job_store.db();
    let [ada, bob] = [
        ada(&job_store).await.id,
        sign_up(&job_store, "Bob", "bob@example.org").await.id,
    ];
    sql(
        &job_store,
        &format!("INSERT INTO likes (user_id, of_user_id) VALUES ({ada}, {bob}), ({bob}, {ada})"),
    )
    .await;
    sql(
        &job_store,
        &format!(
            "INSERT INTO drafts (text, author_id, reviewer_id) VALUES ('Mine', {ada}, {bob}), ('His', {bob}, {ada})"
        ),
    )
    .await;
    sql(
        &job_store,
        &format!("UPDATE users SET deleted_at = '2026-01-01T00:00:00+00:00' WHERE id = {ada}"),
    )
    .await;
    assert!(commit!(job_store, |tx| users::purge(&tx, ada)));
    let likes = like::Entity::find().all(conn).await.unwrap();
    let likes: Vec<_> = likes.iter().map(|like| (like.user_id, like.of_user_id)).collect();
    assert_eq!(likes, [(bob, None)]);
    let drafts = draft::Entity::find().all(conn).await.unwrap();
    let mut drafts: Vec<_> = drafts
        .iter()
        .map(|draft| (draft.text.as_str(), draft.author_id, draft.reviewer_id))
        .collect();
    drafts.sort_unstable();
    assert_eq!(drafts, [("His", Some(bob), None), ("[removed]", None, Some(bob))]);
}

#[on_both]
async fn an_app_that_cannot_forget_keeps_the_account_and_is_named(db: TestDb) {
    let job_store = job_store(&db).await;
    let ada = ada(&job_store).await.id;
    sql(&job_store, "DROP TABLE drafts").await;
    sql(&job_store, &format!("INSERT INTO likes (user_id) VALUES ({ada})")).await;
    sql(&job_store, "UPDATE users SET deleted_at = '2026-01-01T00:00:00+00:00'").await;
    let tx = job_store.begin().await.unwrap();
    let error = users::purge(&tx, ada).await.unwrap_err().to_string();
    drop(tx);
    assert!(error.contains("drafts: "), "{error}");
    assert_eq!(user::Entity::find().count(job_store.db()).await.unwrap(), 1);
    assert_eq!(
        like::Entity::find().count(job_store.db()).await.unwrap(),
        1,
        "all of it is rolled back"
    );
}

#[tokio::test]
async fn what_becomes_of_each_column_can_be_read() {
    crate::product::register();
    let rules: Vec<_> = user_data::all()
        .iter()
        .flat_map(|data| data.rules().map(|rule| format!("{}: {rule}", data.app())))
        .collect();
    let expected = [
        "likes: likes.user_id: deleted",
        "likes: likes.of_user_id: anonymized",
        "drafts: drafts.author_id: left to a hook",
        "drafts: drafts.reviewer_id: kept, reviews are signed",
    ];
    assert_eq!(rules, expected);
}

#[on_both]
async fn a_table_that_no_app_names_is_found(db: TestDb) {
    let job_store = job_store(&db).await;
    assert!(user_data::forgotten(job_store.db()).await.unwrap().is_empty());
    sql(
        &job_store,
        "CREATE TABLE tickets (id bigint PRIMARY KEY, requester_id bigint REFERENCES users (id) ON DELETE CASCADE)",
    )
    .await;
    let forgotten = user_data::forgotten(job_store.db()).await.unwrap();
    let forgotten: Vec<_> = forgotten.iter().map(|key| (key.table(), key.to_string())).collect();
    assert_eq!(forgotten, [("tickets".to_owned(), "tickets.requester_id".to_owned())]);
}

#[on_both]
async fn an_export_has_everything_about_a_person_and_no_secret(db: TestDb) {
    let job_store = job_store(&db).await;
    let conn = job_store.db();
    let ada = superuser(conn, "Ada", "ada@example.org", "the hash").await;
    commit!(job_store, |tx| sessions::start(&**tx, ada.id, Device::default(), false));
    let scopes = [Scope::USERS_READ];
    api_keys::create(conn, "billing", &scopes, None, Some(ada.id))
        .await
        .unwrap();
    let mail = mail::ActiveModel {
        id: Set(uuid::Uuid::now_v7()),
        kind: Set("welcome_email".to_owned()),
        user_id: Set(Some(ada.id)),
        to_address: Set("ada@example.org".to_owned()),
        subject: Set("Welcome".to_owned()),
        state: Set(mail::MailState::Kept),
        message_id: Set("<1@example.org>".to_owned()),
        text_body: Set(Some("https://example.org/secret-link".to_owned())),
        created_at: Set(ada.created_at),
        ..Default::default()
    };
    mail::Entity::insert(mail).exec_without_returning(conn).await.unwrap();
    sql(
        &job_store,
        &format!("INSERT INTO drafts (text, author_id) VALUES ('Mine', {})", ada.id),
    )
    .await;
    let data = users::export(conn, ada.id).await.unwrap().unwrap();
    assert_eq!(data["account"]["email"], "ada@example.org");
    assert_eq!(data["sessions"]["rows"].as_array().unwrap().len(), 1);
    assert_eq!(data["api_keys"]["rows"][0]["name"], "billing");
    assert_eq!(data["mails"]["rows"][0]["subject"], "Welcome");
    assert_eq!(data["audit_log"]["rows"][0]["action"], "create");
    let drafts = json!({ "rows": [{ "text": "Mine" }], "truncated": false });
    assert_eq!(data["apps"], json!({ "drafts": drafts }));
    let text = data.to_string();
    for secret in ["the hash", "secret-link", "token", "_hash"] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
    assert_eq!(users::export(conn, 99).await.unwrap(), None);
}

#[on_both]
async fn an_export_says_where_it_was_cut(db: TestDb) {
    let job_store = job_store(&db).await;
    let ada = ada(&job_store).await.id;
    let rows = (0..=EXPORT_ROWS).map(|number| format!("('{number}', {ada})"));
    let rows = rows.collect::<Vec<_>>().join(", ");
    sql(
        &job_store,
        &format!("INSERT INTO drafts (text, author_id) VALUES {rows}"),
    )
    .await;
    let data = users::export(job_store.db(), ada).await.unwrap().unwrap();
    let drafts = &data["apps"]["drafts"];
    assert_eq!(drafts["truncated"], true);
    assert_eq!(drafts["rows"].as_array().unwrap().len() as u64, EXPORT_ROWS);
    assert_eq!(
        drafts["rows"][0]["text"],
        EXPORT_ROWS.to_string(),
        "the newest are kept"
    );
}
