//! What a claim costs in a long queue, whatever PostgreSQL's statistics.

use std::time::Duration;

use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, EntityTrait, QuerySelect, Statement};
use usher_shared::{
    foundation::{
        db::{PoolOptions, connect},
        entity::job,
    },
    jobs::{self, Claim, Completer, JobStore, WakeUp},
};
use usher_testkit::{TestDb, run};

use crate::fixtures::{LEASE, claim_due};

/// Rows and index entries of jobs that PostgreSQL has read so far on the one connection there is.
async fn read_so_far(db: &DatabaseConnection) -> i64 {
    db.execute_unprepared("SELECT pg_stat_force_next_flush()")
        .await
        .unwrap();
    let sql = "SELECT (SELECT seq_tup_read FROM pg_stat_user_tables WHERE relname = 'jobs') \
               + (SELECT sum(idx_tup_read)::bigint FROM pg_stat_user_indexes WHERE relname = 'jobs') AS read";
    let row = db
        .query_one_raw(Statement::from_string(DbBackend::Postgres, sql))
        .await
        .unwrap();
    row.unwrap().try_get("", "read").unwrap()
}

#[test]
fn claiming_and_completing_reads_no_more_than_the_jobs_meant() {
    run(async {
        let db = TestDb::postgres().await;
        let options = PoolOptions {
            max_connections: 1,
            ..PoolOptions::default()
        };
        let db = connect(db.url(), &options).await.unwrap();
        // No statistics: in a queue they are always stale.
        db.execute_unprepared(
            "ALTER TABLE jobs SET (autovacuum_enabled = false);
             INSERT INTO jobs (id, queue, kind, payload, run_at, next_dispatch_at, created_at)
             SELECT gen_random_uuid(), 'notes', 'note', '{}', now(), now(), now() FROM generate_series(1, 20000)",
        )
        .await
        .unwrap();
        let job_store = JobStore::new(db.clone(), jobs::connect(None, true));
        let some = job::Entity::find().limit(40).all(&db).await.unwrap();
        let wake_ups: Vec<WakeUp> = some.iter().map(WakeUp::of).collect();
        let before = read_so_far(&db).await;
        let claimed = job_store.claim(&wake_ups, "w", LEASE).await.unwrap();
        assert_eq!(claimed.len(), 40);
        let held = job_store
            .heartbeat("w", &claimed.iter().map(|job| job.id).collect::<Vec<_>>(), LEASE)
            .await
            .unwrap();
        assert_eq!(held.len(), 40);
        let completer = Completer::new(job_store.clone());
        let done = claimed.iter().map(|job| completer.complete(Claim::of(job)));
        futures::future::try_join_all(done).await.unwrap();
        let due = claim_due(&job_store, 40).await;
        assert_eq!(due.len(), 40);
        tokio::time::sleep(Duration::from_millis(50)).await;
        let read = read_so_far(&db).await - before;
        assert!(read < 2_000, "{read} rows and index entries for 80 jobs among 20,000");

        db.execute_unprepared("INSERT INTO job_queues (name, paused_at) VALUES ('notes', now())")
            .await
            .unwrap();
        let before = read_so_far(&db).await;
        assert_eq!(claim_due(&job_store, 40).await.len(), 0);
        let read = read_so_far(&db).await - before;
        assert!(
            read < 100,
            "{read} rows and index entries to pass over a queue that is paused"
        );
    });
}

#[test]
fn claiming_from_a_backlog_reads_no_more_once_postgres_knows_the_table() {
    run(async {
        let db = TestDb::postgres().await;
        let options = PoolOptions {
            max_connections: 1,
            ..PoolOptions::default()
        };
        let db = connect(db.url(), &options).await.unwrap();
        // A backlog of one moment, three quarters worked off: what is done stands before what is ready.
        db.execute_unprepared(
            "ALTER TABLE jobs SET (autovacuum_enabled = false);
             INSERT INTO jobs (id, queue, kind, payload, state, run_at, next_dispatch_at, created_at)
             SELECT gen_random_uuid(), 'notes', 'note', '{}', CASE WHEN n <= 30000 THEN 'done' ELSE 'ready' END,
                    now(), now(), now() FROM generate_series(1, 40000) n",
        )
        .await
        .unwrap();
        for statement in ["VACUUM ANALYZE jobs", "VACUUM ANALYZE job_queues"] {
            db.execute_unprepared(statement).await.unwrap();
        }
        let job_store = JobStore::new(db.clone(), jobs::connect(None, true));
        let before = read_so_far(&db).await;
        for _ in 0..3 {
            assert_eq!(claim_due(&job_store, 40).await.len(), 40);
        }
        let read = read_so_far(&db).await - before;
        assert!(read < 2_000, "{read} rows and index entries for 120 jobs of 10,000");
    });
}
