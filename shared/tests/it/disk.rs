//! A full disk is distinguished from other errors.

use sea_orm::ConnectionTrait;
use usher_shared::foundation::db::{PoolOptions, connect, is_disk_full};
use usher_testkit::{TestDb, run};

#[test]
fn a_full_disk_is_known_by_its_error() {
    run(async {
        let file = TestDb::sqlite().await;
        let options = PoolOptions {
            max_connections: 1,
            ..PoolOptions::default()
        };
        let db = connect(file.url(), &options).await.unwrap();
        // To SQLite a file that may not grow is a full disk.
        db.execute_unprepared("PRAGMA max_page_count = 1").await.unwrap();
        let fill = "WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 10000)
            INSERT INTO roles (name, created_at, updated_at) SELECT 'role ' || n, '2026-01-01', '2026-01-01' FROM numbers";
        let full = db.execute_unprepared(fill).await.unwrap_err();
        assert!(is_disk_full(&full), "{full:?}");
        let wrong = db.execute_unprepared("SELECT nonsense").await.unwrap_err();
        assert!(!is_disk_full(&wrong), "{wrong:?}");
    });
}
