//! Look-ups that arrive together share a statement, and none is answered from before it was asked.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures::future::join_all;
use sea_orm::DbErr;
use tokio::sync::Notify;
use usher_shared::foundation::batcher::Batcher;
use usher_testkit::run;

/// Doubles each key but those above 1,000, which are not there; counts its statements.
fn doubling(statements: &Arc<AtomicUsize>) -> Batcher<i64, Option<i64>> {
    let statements = Arc::clone(statements);
    Batcher::look_up(move |keys: Arc<[i64]>| {
        assert!(keys.len() <= 256, "{} keys in one statement", keys.len());
        statements.fetch_add(1, Ordering::SeqCst);
        async move {
            tokio::time::sleep(Duration::from_millis(2)).await;
            Ok(keys
                .iter()
                .filter(|key| **key <= 1_000)
                .map(|key| (*key, key * 2))
                .collect())
        }
    })
}

#[test]
fn everybody_gets_the_answer_to_their_own_key_and_few_statements_are_made() {
    run(async {
        let statements = Arc::new(AtomicUsize::new(0));
        let batcher = doubling(&statements);
        let asked = (0..2_000).map(|number| {
            let batcher = batcher.clone();
            tokio::spawn(async move { (number % 1_500, batcher.ask(number % 1_500).await.unwrap()) })
        });
        for answer in join_all(asked).await {
            let (key, value) = answer.unwrap();
            assert_eq!(value, (key <= 1_000).then_some(key * 2));
        }
        let made = statements.load(Ordering::SeqCst);
        assert!((6..400).contains(&made), "{made} statements for 1,500 keys");
    });
}

#[test]
fn an_answer_is_never_older_than_its_question() {
    run(async {
        let now = Arc::new(AtomicUsize::new(0));
        let (reads, gate) = (Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
        let batcher = {
            let (now, reads, gate) = (Arc::clone(&now), Arc::clone(&reads), Arc::clone(&gate));
            Batcher::look_up(move |_: Arc<[u8]>| {
                let (now, reads, gate) = (Arc::clone(&now), Arc::clone(&reads), Arc::clone(&gate));
                async move {
                    let seen = now.load(Ordering::SeqCst);
                    reads.fetch_add(1, Ordering::SeqCst);
                    gate.notified().await;
                    Ok(HashMap::from([(1, seen)]))
                }
            })
        };
        let ask = || {
            let batcher = batcher.clone();
            tokio::spawn(async move { batcher.ask(1).await.unwrap() })
        };
        // Both flights are under way and have read already when the value changes.
        let mut early = Vec::new();
        for flights in 1..=2 {
            early.push(ask());
            while reads.load(Ordering::SeqCst) < flights {
                tokio::task::yield_now().await;
            }
        }
        now.store(7, Ordering::SeqCst);
        let late = ask();
        tokio::task::yield_now().await;
        for _ in 0..4 {
            gate.notify_one();
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        for early in early {
            assert_eq!(early.await.unwrap(), Some(0));
        }
        assert_eq!(late.await.unwrap(), Some(7));
    });
}

#[test]
fn a_failure_and_a_panic_reach_who_waits_and_nobody_after() {
    run(async {
        let batcher: Batcher<u8, Option<u8>> = Batcher::look_up(|keys: Arc<[u8]>| async move {
            tokio::task::yield_now().await;
            match keys[0] {
                1 => Err(DbErr::Custom("down".to_owned())),
                2 => panic!("broken"),
                _ => Ok(HashMap::from([(3, 4)])),
            }
        });
        assert!(batcher.ask(1).await.unwrap_err().to_string().contains("down"));
        for _ in 0..5 {
            assert!(batcher.ask(2).await.is_err());
        }
        assert_eq!(batcher.ask(3).await.unwrap(), Some(4));
    });
}

#[test]
fn callers_who_leave_do_not_hold_up_the_others() {
    run(async {
        let statements = Arc::new(AtomicUsize::new(0));
        let batcher = doubling(&statements);
        for round in 0..50 {
            let leaver = tokio::time::timeout(Duration::from_micros(round * 20), batcher.ask(5));
            let (_, stayed) = tokio::join!(leaver, batcher.ask(6));
            assert_eq!(stayed.unwrap(), Some(12));
        }
    });
}

#[test]
fn an_item_that_cannot_be_answered_spoils_no_other() {
    run(async {
        let doubles = Batcher::new(
            256,
            1,
            |_: &DbErr| true,
            async |numbers: Arc<[i32]>| {
                tokio::task::yield_now().await;
                if numbers.contains(&3) {
                    return Err(DbErr::Custom("three".to_owned()));
                }
                let double = |number: &i32| number.checked_mul(2).expect("a number that can be doubled");
                Ok(numbers.iter().map(double).collect::<Vec<_>>())
            },
        );
        // One that panics spoils no other either, and ends nothing.
        let answers = join_all([i32::MAX, 0, 1, 2, 3, 4, 5].map(|number| doubles.ask(number))).await;
        let answers: Vec<_> = answers.into_iter().map(Result::ok).collect();
        assert_eq!(answers, [None, Some(0), Some(2), Some(4), None, Some(8), Some(10)]);
    });
}
