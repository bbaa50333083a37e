//! What pages cost PostgreSQL: however much happened before, none reads more than it shows, what it counts and a
//! constant.

use axum::http::StatusCode;
use sea_orm::{ConnectionTrait, DbBackend, Statement};
use usher_testkit::{TestDb, run};

use crate::app::{TestApp, Visitor};

/// Two weeks of jobs that are done and log-ins, many times what any page may read.
const MUCH: &str = "
    INSERT INTO jobs (id, queue, kind, version, payload, state, priority, run_at, next_dispatch_at, created_at, finished_at)
    SELECT gen_random_uuid(), 'default', 'noop', 1, '{}', 'done', 5, at, at, at, at
      FROM (SELECT now() - n * interval '8 seconds' AS at FROM generate_series(1, 150000) n) AS times;
    INSERT INTO sessions (id, user_id, kind, token_hash, created_at, last_seen_at, expires_at)
    SELECT (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '70008' || substr(md5(n::text), 1, 15))::uuid,
           1, 'api', decode(lpad(to_hex(n), 64, '0'), 'hex'), at, at, at
      FROM (SELECT n, now() - n * interval '8 seconds' AS at FROM generate_series(1, 150000) n) AS times;";
/// One of each other state.
const FEW: &str = "
    INSERT INTO jobs (id, queue, kind, version, payload, state, priority, run_at, next_dispatch_at, created_at, crashes, waits)
    SELECT gen_random_uuid(), 'default', 'noop', 1, '{}', state, 5, now(), now(), now(), crashes, waits
      FROM (VALUES ('ready', 0, false), ('ready', 1, false), ('ready', 0, true), ('ready', 1, true),
                   ('dead', 0, false), ('cancelled', 0, false)) AS few (state, crashes, waits)";

/// Many users, of whom only the first have this name.
const FIRST_COMERS: &str = "
    INSERT INTO users (email, email_key, name, search_text, created_at, updated_at)
    SELECT 'p' || n || '@example.com', 'p' || n || '@example.com',
           CASE WHEN n <= 450 THEN 'Odette Marlow' ELSE 'Person ' || n END,
           CASE WHEN n <= 450 THEN ' odette marlow' ELSE ' person ' || n END || '\u{1} p' || n || '@example.com',
           now(), now()
      FROM generate_series(1, 150000) n";

/// A count up to 10,000 and a page, with their index entries.
const COUNTED: i64 = 2 * 10_001 + 200;
/// Nearly nothing.
const NEAR: i64 = 300;
/// The 450 first comers are found, and then read to be sorted, with their index entries.
const FOUND: i64 = 6 * 450 + NEAR;

/// Rows and index entries of a table that were read so far.
async fn read_so_far(app: &TestApp, table: &str) -> i64 {
    let db = &app.context.db;
    db.execute_unprepared("SELECT pg_stat_force_next_flush()")
        .await
        .unwrap();
    let sql = format!(
        "SELECT (SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_user_tables WHERE relname = '{table}')
              + (SELECT sum(idx_tup_read)::bigint FROM pg_stat_user_indexes WHERE relname = '{table}') AS read"
    );
    let row = db.query_one_raw(Statement::from_string(DbBackend::Postgres, sql));
    row.await.unwrap().unwrap().try_get("", "read").unwrap()
}

async fn cost(app: &TestApp, boss: &mut Visitor, table: &str, page: &str) -> i64 {
    let before = read_so_far(app, table).await;
    let answer = boss.get(page).await;
    assert_eq!(answer.status, StatusCode::OK, "{page}");
    read_so_far(app, table).await - before
}

#[test]
fn no_page_reads_what_is_long_over() {
    run(async {
        let app = TestApp::start(TestDb::postgres().await).await.on_one_connection().await;
        let mut boss = app.superuser().await;
        for sql in [MUCH, FEW, "VACUUM ANALYZE jobs", "VACUUM ANALYZE sessions"] {
            app.context.db.execute_unprepared(sql).await.unwrap();
        }
        for (state, most) in [
            ("ready", NEAR),
            ("dead", NEAR),
            ("cancelled", NEAR),
            ("running", NEAR),
            ("done", COUNTED),
        ] {
            let page = format!("/admin/jobs?state={state}");
            let read = cost(&app, &mut boss, "jobs", &page).await;
            assert!(read <= most, "{page} read {read} rows and entries, more than {most}");
        }
        assert!(
            boss.get("/admin/jobs?state=ready").await.has("4 jobs"),
            "all parts of what is ready"
        );
        // What is over is counted once.
        for (table, most) in [("sessions", NEAR), ("jobs", COUNTED)] {
            let (first, again) = (
                cost(&app, &mut boss, table, "/admin/").await,
                cost(&app, &mut boss, table, "/admin/").await,
            );
            assert!(again <= most, "the dashboard read {again} of {table}, after {first}");
        }
    });
}

/// From the newest user on, the first one of that name is the 149,551st.
#[test]
fn a_search_finds_the_oldest_without_passing_all_that_are_newer() {
    run(async {
        let app = TestApp::start(TestDb::postgres().await).await.on_one_connection().await;
        let mut boss = app.superuser().await;
        for sql in [FIRST_COMERS, "VACUUM ANALYZE users"] {
            app.context.db.execute_unprepared(sql).await.unwrap();
        }
        for (search, most, found) in [
            ("/admin/search?q=marlow", FOUND, "p450@example.com"),
            ("/admin/users/autocomplete?q=marlow", FOUND, "p450@example.com"),
            ("/admin/search?q=nobody", NEAR, "nobody"),
        ] {
            let read = cost(&app, &mut boss, "users", search).await;
            assert!(read <= most, "{search} read {read} rows and entries, more than {most}");
            assert!(boss.get(search).await.has(found), "{search} finds the newest of them");
        }
    });
}
