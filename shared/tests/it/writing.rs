//! SQLite's writers: in their order, and out of the readers' way.

use futures::{future::join_all, poll};
use sea_orm::ConnectionTrait;
use usher_shared::foundation::db::{begin, ping, writing};
use usher_testkit::TestDb;

#[tokio::test]
async fn writers_of_sqlite_go_in_the_order_they_came() {
    let db = TestDb::sqlite().await;
    let db = db.connect().await;
    let first = begin(&db).await.unwrap();
    let done = std::sync::Mutex::new(Vec::new());
    let (db, order) = (&db, &done);
    let mut writers: Vec<_> = (0..64)
        .map(|number| {
            Box::pin(async move {
                if number % 2 == 0 {
                    begin(db).await.unwrap().commit().await.unwrap();
                } else {
                    let nothing = "DELETE FROM users WHERE id = -1";
                    writing(db).execute_unprepared(nothing).await.unwrap();
                }
                order.lock().unwrap().push(number);
            })
        })
        .collect();
    for writer in &mut writers {
        assert!(poll!(writer).is_pending());
    }
    first.commit().await.unwrap();
    join_all(writers).await;
    assert_eq!(done.into_inner().unwrap(), (0..64).collect::<Vec<_>>());
}

#[tokio::test]
async fn writers_that_wait_keep_no_connection_from_readers() {
    let db = TestDb::sqlite().await;
    let db = db.connect().await;
    let first = begin(&db).await.unwrap();
    let mut waiting: Vec<_> = (0..64).map(|_| Box::pin(begin(&db))).collect();
    for writer in &mut waiting {
        assert!(poll!(writer).is_pending());
    }
    ping(&db).await.unwrap();
    // Who stops waiting is in nobody's way.
    let last = waiting.pop().unwrap();
    drop(waiting);
    first.rollback().await.unwrap();
    last.await.unwrap().commit().await.unwrap();
}
