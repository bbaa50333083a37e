//! The stream of events: each change once, in order, complete at any moment, whoever writes and however slowly.

use std::time::Duration;

use chrono::TimeDelta;
use sea_orm::{ActiveValue::Set, ConnectionTrait, DatabaseConnection, EntityTrait, IntoActiveModel, PaginatorTrait};
use serde_json::{Value, json};
use usher_shared::{
    accounts::users::{self, Edit, NewUser, RESTORABLE},
    audit::Actor,
    events::{self, Event, EventType, Feed, MAX_DATA_BYTES, Selection},
    foundation::{
        db,
        entity::{event, event_reader, user},
        rules::{Email, EmailPolicy, Name, Password},
        time::now,
    },
    jobs::JobStore,
};
use usher_testkit::{TestDb, eventually, on_both};

use crate::fixtures::job_store;

const MOVED: EventType = EventType::new("piece.moved", "pieces:read", "A piece was moved");

fn moved(number: i64) -> Event {
    Event::new(MOVED, number % 3, &json!({ "number": number }))
}

fn all() -> Selection {
    let built_in = EventType::BUILT_IN.map(EventType::as_str);
    Selection {
        kinds: built_in.into_iter().chain(["piece.moved"]).collect(),
        user_id: None,
    }
}

fn person(email: &str) -> NewUser {
    NewUser {
        name: Name::parse("Ada").unwrap(),
        email: Email::parse(email, EmailPolicy::default()).unwrap(),
        age: None,
    }
}

async fn write(db: &DatabaseConnection, numbers: impl IntoIterator<Item = i64>) {
    let tx = db::begin(db).await.unwrap();
    for number in numbers {
        events::record(&tx, &Actor::system(), moved(number)).await.unwrap();
    }
    tx.commit().await.unwrap();
}

/// Everything that is committed. Transactions of other tests on the same server may hold the stream back for a moment.
async fn read(feed: &Feed, after: i64) -> Vec<Value> {
    let taken = feed.newest_taken().await.unwrap();
    eventually(Duration::from_secs(20), "the stream is complete", async || {
        (feed.newest().await.unwrap() >= taken).then_some(())
    })
    .await;
    shown(feed, after).await
}

async fn shown(feed: &Feed, after: i64) -> Vec<Value> {
    let page = feed.page(after, 1_000, &all()).await.unwrap();
    let events = page.batch.events.iter();
    events.map(|event| serde_json::from_str(&event.json).unwrap()).collect()
}

fn words<'a>(events: &'a [Value], pointer: &str) -> Vec<&'a Value> {
    events.iter().map(|event| event.pointer(pointer).unwrap()).collect()
}

async fn edit(job_store: &JobStore, id: i64, name: &str) {
    let tx = job_store.begin().await.unwrap();
    let before = users::find_for_change(&tx, id).await.unwrap().unwrap();
    let edit = Edit {
        name: Some(Name::parse(name).unwrap()),
        ..Edit::default()
    };
    users::edit(&tx, before, edit, &Actor::system()).await.unwrap();
    tx.commit().await.unwrap();
}

#[on_both]
async fn an_account_is_followed_from_its_creation_to_its_end(db: TestDb) {
    let job_store = job_store(&db).await;
    let feed = Feed::new(job_store.db().clone(), None);
    let tx = job_store.begin().await.unwrap();
    let id = users::create(&tx, &person("ada@example.com"), &Actor::system())
        .await
        .unwrap()
        .id;
    assert!(shown(&feed, 0).await.is_empty(), "it is not committed");
    tx.commit().await.unwrap();
    edit(&job_store, id, "Augusta").await;
    edit(&job_store, id, "Augusta").await;
    let tx = job_store.begin().await.unwrap();
    let before = users::find_for_change(&tx, id).await.unwrap().unwrap();
    users::delete(&tx, before, None, &Actor::system()).await.unwrap();
    tx.commit().await.unwrap();
    let events = read(&feed, 0).await;
    assert_eq!(
        words(&events, "/type"),
        ["user.created", "user.updated", "user.deleted"]
    );
    assert_eq!(words(&events, "/object/version"), [1, 2, 3]);
    assert_eq!(words(&events, "/data/name"), ["Ada", "Augusta", "Augusta"]);
    assert_eq!(events[0]["object"]["id"], id.to_string());
    assert_eq!(
        events[0]["actor"],
        json!({"type": "system", "id": null, "on_behalf_of": null})
    );
    assert!(!events[2].to_string().contains("password"));

    let deleted = user::Entity::find_by_id(id).one(job_store.db()).await.unwrap().unwrap();
    let mut row = deleted.into_active_model();
    row.deleted_at = Set(Some(now() - RESTORABLE - TimeDelta::seconds(1)));
    user::Entity::update(row).exec(job_store.db()).await.unwrap();
    let tx = job_store.begin().await.unwrap();
    assert!(users::purge(&tx, id).await.unwrap());
    tx.commit().await.unwrap();
    let events = read(&feed, 0).await;
    assert_eq!(
        words(&events, "/type"),
        ["user.purged"],
        "nothing about the person is left"
    );
    assert_eq!(events[0]["data"], json!({ "id": id }));
}

#[on_both]
async fn sign_ups_are_followed_too(db: TestDb) {
    let job_store = job_store(&db).await;
    let feed = Feed::new(job_store.db().clone(), None);
    let password = |text: &str| Password::parse(text, &[]).unwrap();
    let (first, second) = (
        password("four uncommon words together"),
        password("another long sentence of words"),
    );
    for password in [&first, &first, &second] {
        let new = person("ada@example.com");
        users::sign_up(&job_store, &new, password, &Actor::system())
            .await
            .unwrap();
    }
    let events = read(&feed, 0).await;
    assert_eq!(words(&events, "/type"), ["user.created", "user.updated"]);
    assert_eq!(
        words(&events, "/object/version"),
        [1, 2],
        "the second sign-up changed nothing"
    );
    let row = user::Entity::find().one(job_store.db()).await.unwrap().unwrap();
    assert_eq!(events[1]["data"]["name"], row.name.as_str());
    assert_eq!(events[1]["object"]["version"], row.version);
}

#[on_both]
async fn what_is_rolled_back_did_not_happen(db: TestDb) {
    let db = db.connect().await;
    let feed = Feed::new(db.clone(), None);
    write(&db, [1]).await;
    let tx = db::begin(&db).await.unwrap();
    events::record(&tx, &Actor::system(), moved(2)).await.unwrap();
    tx.rollback().await.unwrap();
    write(&db, [3]).await;
    assert_eq!(words(&read(&feed, 0).await, "/data/number"), [1, 3]);
}

/// SQLite has one writer at a time, so there is nothing to wait for.
#[test]
fn an_event_is_not_shown_before_an_earlier_one_has_ended() {
    TestDb::run(async {
        let test_db = TestDb::postgres().await;
        let db = test_db.connect().await;
        let feed = Feed::new(db.clone(), None);
        write(&db, [1]).await;
        assert_eq!(read(&feed, 0).await.len(), 1);
        let newest = feed.newest().await.unwrap();
        let (slow, other) = (db::begin(&db).await.unwrap(), db::begin(&db).await.unwrap());
        for (tx, number) in [(&slow, 2), (&other, 3)] {
            events::record(tx, &Actor::system(), moved(number)).await.unwrap();
        }
        other.commit().await.unwrap();
        for _ in 0..3 {
            assert_eq!(feed.newest().await.unwrap(), newest);
            assert_eq!(shown(&feed, 0).await.len(), 1, "2 may still come");
        }
        // Somebody who starts to look now sees no more.
        // It begins where the dispatcher of webhooks has come.
        let reader = event_reader::ActiveModel {
            name: Set("webhooks".to_owned()),
            position: Set(newest),
        };
        event_reader::Entity::update(reader).exec(&db).await.unwrap();
        assert_eq!(Feed::new(db.clone(), None).newest().await.unwrap(), newest);
        slow.commit().await.unwrap();
        assert_eq!(words(&read(&feed, 0).await, "/data/number"), [1, 2, 3]);
    });
}

/// The transaction takes its number when it waits for the row, before the other one that changes it first.
#[test]
fn changes_of_one_object_are_in_the_order_in_which_they_were_made() {
    TestDb::run(async {
        let db = TestDb::postgres().await;
        let job_store = job_store(&db).await;
        let feed = Feed::new(job_store.db().clone(), None);
        let tx = job_store.begin().await.unwrap();
        let id = users::create(&tx, &person("ada@example.com"), &Actor::system())
            .await
            .unwrap()
            .id;
        tx.commit().await.unwrap();
        let early = job_store.begin().await.unwrap();
        early.execute_unprepared("SELECT pg_current_xact_id()").await.unwrap();
        edit(&job_store, id, "First").await;
        let before = users::find_for_change(&early, id).await.unwrap().unwrap();
        let second = Edit {
            name: Some(Name::parse("Second").unwrap()),
            ..Edit::default()
        };
        users::edit(&early, before, second, &Actor::system()).await.unwrap();
        early.commit().await.unwrap();
        assert_eq!(words(&read(&feed, 0).await, "/data/name"), ["Ada", "First", "Second"]);
    });
}

#[on_both]
async fn listeners_get_every_change_once_and_in_order_in_a_storm(db: TestDb) {
    const WRITERS: i64 = 8;
    const EACH: i64 = 60;
    let connection = db.connect().await;
    let feed = Feed::new(connection.clone(), None);
    let mut listener = feed.listen(0, all());
    let writers = (0..WRITERS).map(|writer| {
        let db = connection.clone();
        tokio::spawn(async move {
            for turn in 0..EACH {
                let tx = db::begin(&db).await.unwrap();
                let number = writer * EACH + turn;
                events::record(&tx, &Actor::system(), moved(number)).await.unwrap();
                tokio::time::sleep(Duration::from_millis((writer + turn).rem_euclid(4).unsigned_abs())).await;
                if turn % 5 == 4 {
                    tx.rollback().await.unwrap();
                } else {
                    tx.commit().await.unwrap();
                }
            }
        })
    });
    let writers: Vec<_> = writers.collect();
    let (mut last, mut numbers) = (0, vec![]);
    let expected = usize::try_from(WRITERS * EACH * 4 / 5).unwrap();
    while numbers.len() < expected {
        let news = tokio::time::timeout(Duration::from_secs(20), listener.next()).await;
        let news = news.expect("it comes in time").unwrap();
        assert!(news.position > last, "{} after {last}", news.position);
        last = news.position;
        let event: Value = serde_json::from_str(&news.json).unwrap();
        numbers.push(event["data"]["number"].as_i64().unwrap());
    }
    for writer in writers {
        writer.await.unwrap();
    }
    for writer in 0..WRITERS {
        let of_one: Vec<i64> = numbers
            .iter()
            .copied()
            .filter(|number| number / EACH == writer)
            .collect();
        let committed: Vec<i64> = (0..EACH)
            .filter(|turn| turn % 5 != 4)
            .map(|turn| writer * EACH + turn)
            .collect();
        assert_eq!(of_one, committed, "in the order of their writer");
    }
    let more = tokio::time::timeout(Duration::from_millis(300), listener.next()).await;
    assert!(more.is_err(), "nothing twice");
}

#[on_both]
async fn a_listener_that_falls_behind_misses_nothing(db: TestDb) {
    let db = db.connect().await;
    let feed = Feed::new(db.clone(), None);
    let (mut quick, mut slow) = (feed.listen(0, all()), feed.listen(0, all()));
    // More batches than are kept for listeners.
    for number in 1..=200 {
        write(&db, [number]).await;
        assert_eq!(quick.next().await.unwrap().position, number);
    }
    for number in 1..=200 {
        assert_eq!(slow.next().await.unwrap().position, number);
    }
    assert_eq!((slow.covered(), quick.covered()), (200, 200));
}

#[on_both]
async fn a_listener_gets_what_it_asked_for_and_knows_how_far_it_has_come(db: TestDb) {
    let db = db.connect().await;
    let feed = Feed::new(db.clone(), None);
    let mine = Selection {
        kinds: vec!["piece.moved"],
        user_id: Some(7),
    };
    let mut listener = feed.listen(0, mine.clone());
    let tx = db::begin(&db).await.unwrap();
    let of = |number, user| (Actor::system(), moved(number).user(user));
    for (actor, event) in [of(1, 7), of(2, 8), of(3, 7)] {
        events::record(&tx, &actor, event).await.unwrap();
    }
    let other = Event::new(EventType::USER_UPDATED, 7, &json!({})).user(7);
    events::record(&tx, &Actor::system(), other).await.unwrap();
    tx.commit().await.unwrap();
    let (first, second) = (listener.next().await.unwrap(), listener.next().await.unwrap());
    assert_eq!((first.position, second.position), (1, 3));
    assert_eq!(listener.covered(), 4, "the rest was not asked for");
    read(&feed, 0).await;
    let page = feed.page(0, 10, &mine).await.unwrap();
    let positions: Vec<i64> = page.batch.events.iter().map(|event| event.position).collect();
    assert_eq!((positions, page.batch.through, page.has_more), (vec![1, 3], 4, false));
}

#[on_both]
async fn old_events_are_removed_and_the_stream_says_up_to_where(db: TestDb) {
    let db = db.connect().await;
    let feed = Feed::new(db.clone(), None);
    let month = TimeDelta::days(30);
    for (at, number) in [(now() - month, 1), (now() - month, 2), (now(), 3), (now() - month, 4)] {
        events::record_all(&db, at, [(&Actor::system(), moved(number))])
            .await
            .unwrap();
    }
    let limit = now() - TimeDelta::days(1);
    assert_eq!(
        events::remove_before(&db, limit).await.unwrap(),
        2,
        "not those behind a younger one"
    );
    assert_eq!(events::remove_before(&db, limit).await.unwrap(), 0);
    assert_eq!(feed.removed_through().await.unwrap(), 2);
    assert_eq!(words(&read(&feed, 0).await, "/position"), [3, 4]);
}

#[on_both]
async fn what_is_too_large_is_refused_before_it_is_written(db: TestDb) {
    let db = db.connect().await;
    let large = Event::new(MOVED, 1, &"x".repeat(MAX_DATA_BYTES));
    let error = events::record(&db, &Actor::system(), large)
        .await
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("the data of piece.moved has 65538 bytes, more than 65536"),
        "{error}"
    );
    assert_eq!(event::Entity::find().count(&db).await.unwrap(), 0);
}

#[on_both]
async fn the_first_listener_gets_at_once_what_is_written_while_it_begins(db: TestDb) {
    let job_store = job_store(&db).await;
    let db = job_store.db();
    for number in 0..100 {
        let feed = Feed::new(db.clone(), None);
        let mut listener = feed.listen(0, all());
        let written = async {
            tokio::time::sleep(Duration::from_micros(u64::try_from(number * 50).unwrap())).await;
            write(db, [number]).await;
        };
        let heard = async {
            loop {
                let news: Value = serde_json::from_str(&listener.next().await.unwrap().json).unwrap();
                if news["data"]["number"] == number {
                    break;
                }
            }
        };
        let heard = tokio::time::timeout(Duration::from_secs(10), heard);
        let ((), heard) = tokio::join!(written, heard);
        heard.unwrap_or_else(|_| panic!("event {number} waits for the next one"));
    }
}
