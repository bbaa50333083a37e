//! `GET /users`: every user once in whichever direction, found by every filter, at a bounded price.

use std::collections::BTreeSet;

use axum::http::StatusCode;
use sea_orm::ConnectionTrait;
use serde_json::{Value, json};
use usher_shared::accounts::api_keys::Scope;
use usher_testkit::{TestDb, on_both};

use crate::app::{Answer, Client, TestApp};

/// Users 1–`users`: seven to a name and to a moment, each tenth locked, each third verified.
pub async fn seed(app: &TestApp, users: usize) {
    let db = &app.context.db;
    let postgres = db.get_database_backend() == sea_orm::DbBackend::Postgres;
    let (numbers, at) = if postgres {
        (
            format!("SELECT n FROM generate_series(1, {users}) AS numbers (n)"),
            "timestamptz '2026-01-01 00:00:00Z' + (n / 7) * interval '1 minute'",
        )
    } else {
        (
            format!(
                "WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {users}) SELECT n FROM numbers"
            ),
            "strftime('%Y-%m-%dT%H:%M:%S+00:00', '2026-01-01', '+' || (n / 7) || ' minutes')",
        )
    };
    let insert = format!(
        "INSERT INTO users (email, email_key, name, search_text, status, external_id, email_verified_at, created_at, updated_at)
         SELECT 'P' || n || '@example.com', 'p' || n || '@example.com', 'Person ' || (n % 7) || ' of ' || (n / 700),
                ' person ' || (n % 7) || ' of ' || (n / 700) || '\u{1} p' || n || '@example.com',
                CASE WHEN n % 10 = 0 THEN 'locked' ELSE 'active' END, 'crm-' || n,
                CASE WHEN n % 3 = 0 THEN {at} END, {at}, {at}
         FROM ({numbers}) AS seeds"
    );
    db.execute_unprepared(&insert).await.unwrap();
    db.execute_unprepared("ANALYZE").await.unwrap();
}

pub fn ids(page: &Value) -> Vec<i64> {
    let rows = page["data"].as_array().expect("a list");
    rows.iter().map(|row| row["id"].as_i64().expect("an id")).collect()
}

/// The address of the page beside this one, from its `Link` header.
pub fn link(answer: &Answer, rel: &str) -> Option<String> {
    let end = format!(">; rel=\"{rel}\"");
    let found = answer
        .header("link")
        .split(", ")
        .find_map(|link| link.strip_suffix(&end).map(str::to_owned));
    found.map(|link| link.trim_start_matches('<').to_owned())
}

/// All ids from this address to the list's end in one direction, page by page, and the last page's address.
async fn walk(client: &Client, from: &str, rel: &str) -> (Vec<Vec<i64>>, String) {
    let (mut pages, mut at) = (vec![], from.to_owned());
    loop {
        let answer = client.get(&at).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
        let page = answer.json();
        assert_eq!(page["next_cursor"].is_string(), page["has_more"] == true);
        assert_eq!(page["next_cursor"].is_string(), link(&answer, "next").is_some());
        assert_eq!(page["prev_cursor"].is_string(), link(&answer, "prev").is_some());
        pages.push(ids(&page));
        match link(&answer, rel) {
            Some(next) => at = next,
            None => return (pages, at),
        }
        assert!(pages.len() < 1_000, "the walk does not end");
    }
}

#[on_both]
async fn a_walk_meets_every_user_once_in_both_directions(db: TestDb) {
    let app = TestApp::with(db, &[("RATE_LIMITS", "off")]).await;
    seed(&app, 300).await;
    let client = app.key(&[Scope::USERS_READ]).await;
    for sort in [
        "",
        "id",
        "-id",
        "created_at",
        "-created_at",
        "name",
        "-name",
        "email",
        "-email",
        "-created_at,name",
        "created_at,-email",
        "-created_at,-name",
        "created_at,email,-name",
        "-created_at,id",
    ] {
        for limit in [1, 7, 100, 150, 200] {
            if limit == 1 && sort != "-name" {
                continue;
            }
            let first = if sort.is_empty() {
                format!("/users?limit={limit}")
            } else {
                format!("/users?limit={limit}&sort={sort}")
            };
            let (there, last) = walk(&client, &first, "next").await;
            let met: Vec<i64> = there.concat();
            assert_eq!(met.len(), 300, "{first}");
            assert_eq!(met.iter().collect::<BTreeSet<_>>().len(), 300, "{first}");
            assert!(
                there[..there.len() - 1].iter().all(|page| page.len() == limit),
                "{first}: every page but the last is full"
            );
            let (mut back, _) = walk(&client, &last, "prev").await;
            back.reverse();
            assert_eq!(back.concat(), met, "{first}, backwards");
        }
    }
    let ascending = walk(&client, "/users?sort=created_at&limit=200", "next")
        .await
        .0
        .concat();
    assert_eq!(ascending, (1..=300).collect::<Vec<_>>());
    let descending = walk(&client, "/users?limit=200", "next").await.0.concat();
    assert_eq!(descending, (1..=300).rev().collect::<Vec<_>>());
    // Seven at a time were created together; a second column orders those.
    let sorted = |key: &dyn Fn(&i64) -> (i64, i64)| {
        let mut all: Vec<i64> = (1..=300).collect();
        all.sort_by_key(key);
        all
    };
    let by_name = walk(&client, "/users?sort=-created_at,name&limit=10", "next")
        .await
        .0
        .concat();
    assert_eq!(by_name, sorted(&|n| (-(n / 7), n % 7)));
    let same_way = walk(&client, "/users?sort=created_at,id&limit=10", "next")
        .await
        .0
        .concat();
    assert_eq!(same_way, sorted(&|n| (n / 7, *n)));
    let other_way = walk(&client, "/users?sort=created_at,-id&limit=10", "next")
        .await
        .0
        .concat();
    assert_eq!(other_way, sorted(&|n| (n / 7, -n)));
}

#[on_both]
async fn every_filter_finds_its_users(db: TestDb) {
    let app = TestApp::start(db).await;
    seed(&app, 300).await;
    let client = app.key(&[Scope::USERS_READ]).await;
    for (query, expected) in [
        ("email=P17%40EXAMPLE.COM", vec![17]),
        ("email=nobody", vec![]),
        ("external_id=crm-18", vec![18]),
        ("external_id=CRM-18", vec![]),
        (
            "email_prefix=P29",
            vec![290, 291, 292, 293, 294, 295, 296, 297, 298, 299, 29],
        ),
        ("email_prefix=p29&sort=-id&limit=2", vec![299, 298]),
        ("status=locked&sort=id&limit=3", vec![10, 20, 30]),
        ("status=deactivated", vec![]),
        ("status=active&verified=true&sort=id&limit=4", vec![3, 6, 9, 12]),
        ("verified=false&status=locked&sort=id&limit=3", vec![10, 20, 40]),
        ("created_before=2026-01-01T00:01:00Z&sort=id", vec![1, 2, 3, 4, 5, 6]),
        (
            "created_after=2026-01-01T00:42:00Z&sort=id",
            vec![294, 295, 296, 297, 298, 299, 300],
        ),
        ("created_after=2026-01-01T00:42:00.000001Z", vec![]),
        (
            "created_after=2026-01-01T01:42:00+01:00&created_before=2026-01-01T00:43:00Z&limit=1",
            vec![300],
        ),
        ("q=person+3&status=locked&sort=id&limit=2", vec![10, 80]),
        ("q=PERSON&limit=2&sort=id", vec![1, 2]),
        ("q=p123", vec![123]),
        ("q=%25", vec![]),
        ("q=+&limit=1&sort=id", vec![1]),
    ] {
        let answer = client.get(&format!("/users?{query}")).await;
        assert_eq!(answer.status, StatusCode::OK, "{query}: {}", answer.text());
        assert_eq!(ids(&answer.json()), expected, "{query}");
    }
    let row = &client.get("/users?email=p3%40example.com").await.json()["data"][0];
    assert_eq!(row["verified"], true);
    assert_eq!(*row, client.get("/users/3").await.json());
}

#[on_both]
async fn the_list_is_counted_up_to_a_limit(db: TestDb) {
    let app = TestApp::start(db).await;
    seed(&app, 10_500).await;
    let client = app.key(&[Scope::USERS_READ]).await;
    for (query, count, exact) in [
        ("limit=1", 10_000, false),
        ("limit=1&email_prefix=p1050", 2, true),
        ("limit=1&status=deactivated", 0, true),
        ("limit=1&created_before=2026-01-01T00:01:00Z", 6, true),
    ] {
        let page = client.get(&format!("/users?count=true&{query}")).await.json();
        assert_eq!(
            (&page["count"], &page["count_is_exact"]),
            (&json!(count), &json!(exact)),
            "{query}"
        );
    }
    assert!(client.get("/users?limit=1").await.json().get("count").is_none());
}

#[on_both]
async fn a_walk_that_meets_little_stops_and_goes_on(db: TestDb) {
    let app = TestApp::with(db, &[("RATE_LIMITS", "off")]).await;
    seed(&app, 10_500).await;
    let client = app.key(&[Scope::USERS_READ]).await;
    // Nobody deleted is shown, and a thousand of them in the way are passed without reading them all at once.
    let gone = "UPDATE users SET deleted_at = created_at WHERE id BETWEEN 101 AND 10400";
    app.context.db.execute_unprepared(gone).await.unwrap();
    let expected: Vec<i64> = (1..=100).chain(10_401..=10_500).collect();
    let (pages, last) = walk(&client, "/users?sort=id&limit=60", "next").await;
    assert_eq!(pages.concat(), expected);
    assert!(pages.iter().any(Vec::is_empty), "some pages hold nothing and have more");
    let (mut back, _) = walk(&client, &last, "prev").await;
    back.reverse();
    assert_eq!(back.concat(), expected);
    let (found, _) = walk(&client, "/users?sort=-name&verified=true&limit=10", "next").await;
    assert_eq!(found.concat().len(), expected.iter().filter(|id| **id % 3 == 0).count());
}

#[on_both]
async fn what_is_wrong_with_a_query_is_said_of_every_parameter(db: TestDb) {
    let app = TestApp::start(db).await;
    seed(&app, 20).await;
    let client = app.key(&[Scope::USERS_READ]).await;
    for (query, kind, name) in [
        ("limit=0", "greater_than_equal", "limit"),
        ("limit=-1", "greater_than_equal", "limit"),
        ("limit=201", "less_than_equal", "limit"),
        ("limit=x", "int_parsing", "limit"),
        ("limit=99999999999999999999", "int_parsing", "limit"),
        ("sort=age", "enum", "sort"),
        ("sort=--id", "enum", "sort"),
        ("sort=-created_at,age", "enum", "sort"),
        ("sort=name,id", "enum", "sort"),
        ("sort=-created_at,", "enum", "sort"),
        ("sort=,", "enum", "sort"),
        ("cursor=x", "value_error", "cursor"),
        ("cursor=", "value_error", "cursor"),
        ("count=1", "bool_parsing", "count"),
        ("status=Locked", "enum", "status"),
        ("verified=yes", "bool_parsing", "verified"),
        ("created_after=yesterday", "datetime_parsing", "created_after"),
        ("created_before=2026-01-01", "datetime_parsing", "created_before"),
        ("q=%00", "value_error", "q"),
        ("email=%ff", "value_error", "email"),
        ("emial=ada@example.com", "extra_forbidden", "emial"),
    ] {
        let faults = client.get(&format!("/users?{query}")).await.faults();
        assert_eq!(faults, [(kind.to_owned(), json!(["query", name]))], "{query}");
    }
    let all = client.get("/users?x=1&limit=0&sort=x&status=x").await.faults();
    let names: Vec<&Value> = all.iter().map(|(_, loc)| &loc[1]).collect();
    assert_eq!(names, ["status", "limit", "sort", "x"]);
    assert_eq!(
        ids(&client.get("/users?limit=0&limit=2&sort=id").await.json()),
        [1, 2],
        "the last of two wins"
    );
}

#[on_both]
async fn a_cursor_that_was_touched_opens_nothing(db: TestDb) {
    let app = TestApp::start(db).await;
    seed(&app, 20).await;
    let client = app.key(&[Scope::USERS_READ]).await;
    let cursor = client.get("/users?limit=2&sort=name").await.json()["next_cursor"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(
        client
            .get(&format!("/users?limit=2&sort=name&cursor={cursor}"))
            .await
            .status,
        StatusCode::OK
    );
    for at in [0, cursor.len() / 2, cursor.len() - 2] {
        let mut touched = cursor.clone().into_bytes();
        touched[at] = if touched[at] == b'A' { b'B' } else { b'A' };
        let touched = String::from_utf8(touched).unwrap();
        let faults = client.get(&format!("/users?sort=name&cursor={touched}")).await.faults();
        assert_eq!(faults, [("value_error".to_owned(), json!(["query", "cursor"]))]);
    }
    // It belongs to its order and to the installation that signed it.
    client.get(&format!("/users?cursor={cursor}")).await.faults();
    let elsewhere = TestApp::start(TestDb::sqlite().await).await;
    elsewhere
        .all_scopes()
        .await
        .get(&format!("/users?sort=name&cursor={cursor}"))
        .await
        .faults();
}

#[on_both]
async fn only_readers_of_users_list_them(db: TestDb) {
    let app = TestApp::start(db).await;
    app.anonymous().get("/users").await.is(401, "authentication_required");
    app.key(&[Scope::USERS_WRITE, Scope::USERS_DELETE])
        .await
        .get("/users")
        .await
        .is(403, "insufficient_scope");
    let page = app.key(&[Scope::USERS_READ]).await.get("/users").await.json();
    assert_eq!(
        page,
        json!({"data": [], "next_cursor": null, "prev_cursor": null, "has_more": false})
    );
}
