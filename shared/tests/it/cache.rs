//! The cache of products, in memory and in a real Redis.

use std::{
    collections::HashMap,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use futures::future::join_all;
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;
use usher_shared::foundation::cache::{Cache, MAX_KEY, MAX_VALUE, MEMORY};
use usher_testkit::{Flow, Proxy, Redis, eventually, run};

const MINUTE: Duration = Duration::from_secs(60);
const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Shelf {
    name: String,
    books: Vec<i64>,
}

fn shelf() -> Shelf {
    Shelf {
        name: "Poetry é".to_owned(),
        books: vec![1, 2, 3],
    }
}

fn at(url: &str) -> Cache {
    Cache::new(Some(&redis::Client::open(url).unwrap()))
}

/// One in memory, and one in this Redis.
fn both(redis: &Redis) -> [Cache; 2] {
    [Cache::new(None), at(&redis.url())]
}

fn read(cache: &Cache, outcome: &'static str) -> u64 {
    cache.reads().get_or_create(&[("outcome", outcome.into())]).get()
}

#[test]
fn a_value_is_found_until_it_is_replaced_removed_or_its_time_ends() {
    run(async {
        let redis = Redis::start().await;
        for cache in both(&redis) {
            assert_eq!(cache.get::<Shelf>("shelf:1").await, None);
            cache.set("shelf:1", &shelf(), MINUTE).await;
            assert_eq!(cache.get("shelf:1").await, Some(shelf()));
            assert_eq!(cache.get::<Shelf>("shelf:2").await, None);
            assert_eq!(
                cache.get::<i64>("shelf:1").await,
                None,
                "what isn't of the type is a miss"
            );
            assert_eq!((read(&cache, "hit"), read(&cache, "miss")), (1, 3));

            cache.set("shelf:1", &7, Duration::from_millis(50)).await;
            eventually(PATIENCE, "the time to live ends", async || {
                cache.get::<i64>("shelf:1").await.is_none().then_some(())
            })
            .await;
            cache.set("shelf:1", &8, MINUTE).await;
            cache.remove("shelf:1").await;
            assert_eq!(cache.get::<i64>("shelf:1").await, None);
        }
    });
}

#[test]
fn what_is_too_large_is_not_kept_and_neither_is_the_value_before_it() {
    run(async {
        let redis = Redis::start().await;
        for cache in both(&redis) {
            let (largest, larger) = ("x".repeat(MAX_VALUE - 2), "x".repeat(MAX_VALUE - 1));
            let (longest, longer) = ("k".repeat(MAX_KEY), "k".repeat(MAX_KEY + 1));
            cache.set(&longest, &largest, Duration::MAX).await;
            assert!(
                cache
                    .get::<String>(&longest)
                    .await
                    .is_some_and(|found| found == largest)
            );
            cache.set(&longest, &larger, MINUTE).await;
            assert_eq!(cache.get::<String>(&longest).await, None);
            cache.set(&longer, &1, MINUTE).await;
            assert_eq!(cache.get::<i64>(&longer).await, None);

            cache.set("no time", &1, MINUTE).await;
            cache.set("no time", &2, Duration::ZERO).await;
            assert_eq!(cache.get::<i64>("no time").await, None);
            let no_json = HashMap::from([((1, 2), 3)]);
            cache.set("no JSON", &no_json, MINUTE).await;
            let loaded = cache.get_or_load("no JSON", MINUTE, async || Ok::<_, ()>(no_json.clone()));
            assert_eq!(loaded.await, Ok(no_json.clone()), "but it is loaded");
        }
    });
}

#[test]
fn memory_is_bounded_and_redis_is_shared_under_the_programs_name() {
    run(async {
        let memory = Cache::new(None);
        let value = "x".repeat(MAX_VALUE / 2);
        for number in 0..4 * MEMORY / MAX_VALUE {
            memory.set(&format!("{number}"), &value, MINUTE).await;
        }
        let found = async |number| memory.get::<String>(&format!("{number}")).await.is_some();
        let kept = join_all((0..4 * MEMORY / MAX_VALUE).map(found)).await;
        let kept = kept.into_iter().filter(|found| *found).count();
        assert!((1..=2 * MEMORY / MAX_VALUE).contains(&kept), "{kept} values");

        let redis = Redis::start().await;
        let (one, other) = (at(&redis.url()), at(&redis.url()));
        let heard = redis.overheard().await;
        one.set("shelf:1", &shelf(), MINUTE).await;
        assert_eq!(other.get("shelf:1").await, Some(shelf()));
        other.remove("shelf:1").await;
        assert_eq!(one.get::<Shelf>("shelf:1").await, None);
        let heard = eventually(PATIENCE, "Redis tells", async || {
            let heard = heard.lock().unwrap().clone();
            heard.contains("\"DEL\"").then_some(heard)
        })
        .await;
        assert!(heard.contains("\"usher:cache:shelf:1\""), "{heard}");
    });
}

#[test]
fn of_concurrent_callers_one_loads_and_an_error_is_not_kept() {
    run(async {
        let redis = Redis::start().await;
        for cache in both(&redis) {
            let loads = AtomicUsize::new(0);
            let load = async || {
                loads.fetch_add(1, Ordering::SeqCst);
                tokio::task::yield_now().await;
                Ok::<_, String>(shelf())
            };
            let all = join_all((0..50).map(|_| cache.get_or_load("shelf", MINUTE, load))).await;
            assert!(all.iter().all(|value| *value == Ok(shelf())));
            assert_eq!(loads.load(Ordering::SeqCst), 1);
            assert_eq!(cache.get("shelf").await, Some(shelf()));

            let fail = async || Err::<Shelf, _>("no shelf");
            assert_eq!(cache.get_or_load("none", MINUTE, fail).await, Err("no shelf"));
            let found = cache.get_or_load("none", MINUTE, async || Ok::<_, ()>(shelf())).await;
            assert_eq!(found, Ok(shelf()), "the error is not kept");
            let other_type = cache.get_or_load("none", MINUTE, async || Ok::<_, ()>(1)).await;
            assert_eq!(other_type, Ok(1));
        }
    });
}

#[test]
fn a_caller_that_gives_up_or_fails_leaves_loading_to_the_next_one() {
    run(async {
        let cache = Cache::new(None);
        let (begun, fail) = (Notify::new(), Notify::new());
        let first = cache.get_or_load("shelf", MINUTE, async || {
            begun.notify_one();
            fail.notified().await;
            Err::<Shelf, _>("too late")
        });
        let second = async {
            begun.notified().await;
            let mine = cache.get_or_load("shelf", MINUTE, async || Ok::<_, &str>(shelf()));
            fail.notify_one();
            mine.await
        };
        assert_eq!(tokio::join!(first, second), (Err("too late"), Ok(shelf())));

        let never = cache.get_or_load("other", MINUTE, async || {
            begun.notify_one();
            std::future::pending::<Result<Shelf, &str>>().await
        });
        tokio::select! {
            _ = never => panic!("it never ends"),
            () = begun.notified() => {}
        }
        let loaded = cache
            .get_or_load("other", MINUTE, async || Ok::<_, &str>(shelf()))
            .await;
        assert_eq!(loaded, Ok(shelf()));
    });
}

#[test]
fn what_was_loaded_before_a_removal_is_not_brought_back() {
    run(async {
        let redis = Redis::start().await;
        for cache in both(&redis) {
            let (begun, removed) = (Notify::new(), Notify::new());
            let old = cache.get_or_load("price", MINUTE, async || {
                begun.notify_one();
                removed.notified().await;
                Ok::<_, ()>(1)
            });
            let change = async {
                begun.notified().await;
                cache.remove("price").await;
                let new = cache.get_or_load("price", MINUTE, async || Ok::<_, ()>(2)).await;
                removed.notify_one();
                new
            };
            assert_eq!(tokio::join!(old, change), (Ok(1), Ok(2)));
            assert_eq!(cache.get("price").await, Some(2));
        }
    });
}

#[test]
fn without_redis_everything_is_a_miss_and_loads_go_on() {
    run(async {
        let mut redis = Redis::start().await;
        let cache = at(&redis.url());
        cache.set("shelf", &shelf(), MINUTE).await;
        redis.stop();
        for _ in 0..3 {
            assert_eq!(cache.get::<Shelf>("shelf").await, None);
            cache.set("shelf", &shelf(), MINUTE).await;
            cache.remove("shelf").await;
        }
        let loads = AtomicUsize::new(0);
        let load = async || {
            loads.fetch_add(1, Ordering::SeqCst);
            tokio::task::yield_now().await;
            Ok::<_, ()>(shelf())
        };
        let all = join_all((0..20).map(|_| cache.get_or_load("shelf", MINUTE, load))).await;
        assert!(all.iter().all(|value| *value == Ok(shelf())));
        assert_eq!(loads.load(Ordering::SeqCst), 1, "even so one load serves all who wait");

        redis.start_again().await;
        eventually(PATIENCE, "it is used again", async || {
            cache.set("shelf", &shelf(), MINUTE).await;
            cache.get::<Shelf>("shelf").await
        })
        .await;
    });
}

#[test]
fn a_redis_that_is_silent_or_full_is_a_miss() {
    run(async {
        let redis = Redis::start().await;
        let (proxy, url) = Proxy::instead_of(&redis.url());
        let cache = at(&url);
        cache.set("shelf", &shelf(), MINUTE).await;
        assert_eq!(cache.get("shelf").await, Some(shelf()));

        proxy.set(Flow::Stalls);
        assert_eq!(cache.get::<Shelf>("shelf").await, None);
        let loaded = cache.get_or_load("shelf", MINUTE, async || Ok::<_, ()>(shelf())).await;
        assert_eq!(loaded, Ok(shelf()));
        proxy.set(Flow::Passes);
        let again = async || cache.get::<Shelf>("shelf").await;
        eventually(PATIENCE, "it is found again", again).await;
        proxy.strand();
        eventually(PATIENCE, "it is found by a new connection", again).await;

        redis.configure("maxmemory", "1").await;
        cache.set("other", &shelf(), MINUTE).await;
        assert_eq!(cache.get::<Shelf>("other").await, None);
        assert_eq!(cache.get("shelf").await, Some(shelf()), "reading goes on");
    });
}
