//! What lists cost PostgreSQL: however many rows there are, however deep the page is and however it is filtered and
//! sorted, no page reads more than it returns and a constant.

use axum::http::StatusCode;
use sea_orm::{ConnectionTrait, DbBackend, Statement};
use usher_shared::{
    accounts::api_keys::Scope,
    foundation::db::{PoolOptions, connect},
};
use usher_testkit::{TestDb, run};

use crate::{
    app::{Client, TestApp},
    lists::{ids, link, seed},
};

/// Many times what any page may read.
const USERS: usize = 150_000;

/// A page of 50, the row beyond it and their index entries; an order by email sorts ids in groups of 32 besides.
const PLAIN: i64 = 2 * (51 + 32);
/// A filter's index is asked and finds a thousand rows at most, with their index entries.
const FEW: i64 = PLAIN + 3 * 1_000;
/// It finds more; then a walk meets nothing, and its length and its end are asked for.
const WALK: i64 = FEW + 7 * 10_000;

const SORTS: [&str; 9] = [
    "id",
    "-id",
    "created_at",
    "-created_at",
    "-created_at,name",
    "name",
    "-name",
    "email",
    "-email",
];

/// Every filter, finding many rows, few and none, alone and beside another, and what a page may read with it.
const FILTERS: [(&str, i64); 19] = [
    ("email=p100%40example.com", FEW),
    ("external_id=crm-30000", FEW),
    ("email_prefix=p599", FEW),
    ("email_prefix=p", WALK),
    ("status=active", WALK),
    ("status=locked", WALK),
    ("status=deactivated", FEW),
    ("verified=true", WALK),
    ("verified=false&status=locked", WALK),
    ("created_after=2026-01-02T00:00:00Z", WALK),
    ("created_before=2026-01-02T00:00:00Z", WALK),
    (
        "created_after=2026-01-02T00:00:00Z&created_before=2026-01-02T01:00:00Z",
        FEW,
    ),
    ("created_before=2020-01-01T00:00:00Z", FEW),
    ("q=nobody", FEW),
    ("q=p5999", FEW),
    ("q=person+6", WALK),
    ("q=p", WALK),
    ("status=locked&verified=true&q=person+6", WALK),
    ("email_prefix=p1&status=active&verified=false", WALK),
];

/// A house with one connection, so that what it has read can be asked of it.
async fn start() -> TestApp {
    let mut app = TestApp::with(
        TestDb::postgres().await,
        &[("RATE_LIMITS", "off"), ("STAFF_MFA", "optional")],
    )
    .await;
    let options = PoolOptions {
        max_connections: 1,
        ..PoolOptions::default()
    };
    app.context.db = connect(&app.context.config.database_url, &options).await.unwrap();
    app.router = usher_api::router(usher_api::AppState::new(&app.context));
    app
}

/// Rows and index entries of a table that were read so far.
async fn read_so_far(app: &TestApp, table: &str) -> i64 {
    let db = &app.context.db;
    let flush = "SELECT pg_stat_force_next_flush()";
    db.execute_unprepared(flush).await.unwrap();
    let sql = format!(
        "SELECT (SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_user_tables WHERE relname = '{table}')
              + (SELECT sum(idx_tup_read)::bigint FROM pg_stat_user_indexes WHERE relname = '{table}') AS read"
    );
    let row = db.query_one_raw(Statement::from_string(DbBackend::Postgres, sql));
    row.await.unwrap().unwrap().try_get("", "read").unwrap()
}

/// Gets a page: what it read of the table, the ids on it, and the address of the next one.
async fn cost(app: &TestApp, client: &Client, table: &str, at: &str) -> (i64, Vec<i64>, Option<String>) {
    let before = read_so_far(app, table).await;
    let answer = client.get(at).await;
    assert_eq!(answer.status, StatusCode::OK, "{at}: {}", answer.text());
    let read = read_so_far(app, table).await - before;
    (read, ids(&answer.json()), link(&answer, "next"))
}

/// The last page of the whole list in this order. A cursor belongs to an order, not to filters, so it can be taken from
/// a short list of those who come last.
async fn deepest(app: &TestApp, client: &Client, sort: &str) -> String {
    let those = match sort {
        "id" | "created_at" => "created_after=2026-01-15T21:00:00Z",
        "-id" | "-created_at" | "-created_at,name" => "created_before=2026-01-01T00:10:00Z",
        // Names go round every 700 users; these are of the last and of the first name.
        "name" => "created_after=2026-01-07T21:00:00Z&created_before=2026-01-07T22:40:00Z&q=person+6",
        "-name" => "created_before=2026-01-01T01:40:00Z&q=person+0",
        "email" => "email_prefix=p9999",
        _ => "email_prefix=p1000",
    };
    let mut at = format!("/users?sort={sort}&limit=9&{those}");
    while let (_, _, Some(next)) = cost(app, client, "users", &at).await {
        at = next;
    }
    let cursor = at.split_once("cursor=").expect("a second page").1;
    format!("/users?sort={sort}&cursor={cursor}")
}

#[test]
fn no_page_of_users_reads_more_than_it_may() {
    run(async {
        let app = start().await;
        seed(&app, USERS).await;
        let client = app.key(&[Scope::USERS_READ]).await;
        client.get("/users?limit=1").await;
        for sort in SORTS {
            let mut pages = vec![format!("/users?sort={sort}"), deepest(&app, &client, sort).await];
            for at in &mut pages {
                let (read, found, next) = cost(&app, &client, "users", at).await;
                assert!(
                    !found.is_empty() && found.len() as i64 <= read && read <= PLAIN,
                    "{at} read {read}"
                );
                *at = next.unwrap_or_default();
            }
            assert!(
                pages[0].contains("cursor") && pages[1].is_empty(),
                "the first and the last page of {sort}: {pages:?}"
            );
            for (filter, most) in FILTERS {
                let mut at = Some(format!("/users?sort={sort}&{filter}"));
                for _ in 0..4 {
                    let Some(page) = at else { break };
                    let (read, _, next) = cost(&app, &client, "users", &page).await;
                    assert!(read <= most, "{page} read {read} rows and entries, more than {most}");
                    at = next;
                }
            }
        }
        // Without its index each order reads more than it may: the test sees what it is about.
        for (index, sort) in [
            ("users_created_at_idx", "created_at"),
            ("users_name_idx", "name"),
            ("users_email_key_unique", "email"),
        ] {
            app.sql(&format!("DROP INDEX {index}")).await;
            let (read, ..) = cost(&app, &client, "users", &format!("/users?sort={sort}")).await;
            assert!(read > PLAIN, "without {index} a page reads {read}");
        }
    });
}

#[test]
fn a_page_of_a_rare_status_reads_nobody_of_another() {
    run(async {
        let app = start().await;
        seed(&app, USERS).await;
        // A tenth is locked. Some of those were deleted, and are not in the index of the locked.
        app.sql("UPDATE users SET deleted_at = now() WHERE id % 1000 = 0").await;
        app.sql("VACUUM ANALYZE users").await;
        let client = app.key(&[Scope::USERS_READ]).await;
        for sort in ["created_at", "-created_at"] {
            let mut at = format!("/users?sort={sort}&status=locked");
            for _ in 0..3 {
                let (read, found, next) = cost(&app, &client, "users", &at).await;
                assert_eq!(found.len(), 50, "{at}");
                assert!(read <= PLAIN, "{at} read {read} rows and entries, more than {PLAIN}");
                at = next.expect("there are thousands of them");
            }
        }
    });
}

#[test]
fn no_page_of_keys_reads_more_than_it_may() {
    run(async {
        let app = start().await;
        let root = app.superuser().await;
        app.sql(
            "INSERT INTO api_keys (name, hint, token_hash, scopes, version, created_at)
             SELECT 'Key ' || n, 'uak_', decode(lpad(to_hex(n), 64, '0'), 'hex'), 'users:read', 1, now()
             FROM generate_series(1, 20000) AS numbers (n)",
        )
        .await;
        app.sql("ANALYZE").await;
        for sort in ["id", "-id"] {
            let mut at = Some(format!("/api-keys?sort={sort}&limit=200"));
            let mut pages = 0;
            while let Some(page) = at {
                let (read, found, next) = cost(&app, &root.client, "api_keys", &page).await;
                // The last page asks as well whether it ended early.
                assert!(found.len() as i64 <= read && read <= 4 * 201, "{page} read {read}");
                (at, pages) = (next, pages + 1);
            }
            assert_eq!(pages, 100, "{sort}");
        }
    });
}

#[test]
fn the_sessions_and_factors_of_one_person_are_found_among_everybodys() {
    run(async {
        let app = start().await;
        seed(&app, 20_000).await;
        let ada = app.person("ada@example.com").await;
        app.with_app(ada.id).await;
        app.sql(
            "INSERT INTO sessions (id, user_id, kind, token_hash, created_at, last_seen_at, expires_at)
             SELECT gen_random_uuid(), id, 'api', sha256(id::text::bytea), now(), now(), now() + interval '1 day'
             FROM users WHERE email_key LIKE 'p%'",
        )
        .await;
        app.sql("ANALYZE").await;
        let service = app.key(&[Scope::SESSIONS_READ]).await;
        let theirs = format!("/users/{}/sessions", ada.id);
        for (client, path, table) in [
            (&ada.client, "/me/sessions", "sessions"),
            (&service, &*theirs, "sessions"),
            (&ada.client, "/me/mfa", "mfa_factors"),
        ] {
            let before = read_so_far(&app, table).await;
            assert_eq!(client.get(path).await.status, StatusCode::OK);
            let read = read_so_far(&app, table).await - before;
            assert!(
                (1..=20).contains(&read),
                "{path} read {read} rows and entries of {table}"
            );
        }
    });
}
