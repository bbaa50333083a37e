use std::{net::TcpStream, path::Path};

use sea_orm::{ConnectionTrait, DbErr};
use usher_testkit::{Postgres, TestDb, on_both, run};

#[on_both]
async fn a_test_database_is_migrated_and_empty(db: TestDb) -> Result<(), DbErr> {
    let connection = db.connect().await;
    let one_user = "INSERT INTO users (id) SELECT 1 WHERE EXISTS (SELECT 1 FROM users)";
    assert_eq!(connection.execute_unprepared(one_user).await?.rows_affected(), 0);
    Ok(())
}

#[on_both]
async fn two_test_databases_share_nothing(one: TestDb) {
    let two = if one.is_postgres() {
        TestDb::postgres().await
    } else {
        TestDb::sqlite().await
    };
    one.connect()
        .await
        .execute_unprepared("CREATE TABLE mine (id INTEGER)")
        .await
        .expect("a table is made");
    let found = two.connect().await.execute_unprepared("SELECT * FROM mine").await;
    assert!(found.is_err(), "the other database has the table too");
}

#[test]
fn a_dropped_postgres_database_is_gone_even_with_open_connections() {
    run(async {
        let db = TestDb::postgres().await;
        let (connection, url) = (db.connect().await, db.url().to_owned());
        drop(db);
        assert!(connection.execute_unprepared("SELECT 1").await.is_err());
        let again = sea_orm::Database::connect(&url).await;
        assert!(
            again
                .expect_err("the database is gone")
                .to_string()
                .contains("does not exist")
        );
    });
}

#[test]
fn a_dropped_sqlite_database_leaves_no_file() {
    run(async {
        let db = TestDb::sqlite().await;
        db.connect().await.close().await.expect("it closes");
        let file = db.url().trim_start_matches("sqlite://").to_owned();
        assert!(Path::new(&file).exists());
        drop(db);
        assert!(!Path::new(&file).parent().expect("its folder").exists());
    });
}

#[test]
fn a_postgres_of_its_own_keeps_its_data_when_it_starts_again() {
    run(async {
        let mut postgres = Postgres::start().await;
        let url = postgres.url("postgres");
        let before = sea_orm::Database::connect(&url).await.expect("it answers");
        before
            .execute_unprepared("CREATE TABLE kept (id INTEGER)")
            .await
            .expect("a table is made");

        postgres.stop();
        let address = url
            .trim_start_matches("postgres://usher@")
            .split('/')
            .next()
            .expect("host and port");
        assert!(TcpStream::connect(address).is_err(), "it still listens");

        postgres.start_again().await;
        let after = sea_orm::Database::connect(&url).await.expect("it answers again");
        after
            .execute_unprepared("SELECT * FROM kept")
            .await
            .expect("the table is still there");
    });
}
