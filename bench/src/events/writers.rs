//! Who makes changes, and what they know of them: done, refused, rolled back, or unknown where no answer came.

use std::{
    collections::HashSet,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use anyhow::Result;
use futures::future::try_join_all;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use usher_shared::{AppContext, accounts::users, audit::Actor};

use super::scene::ApiClient;
use crate::programs::{EMAIL, person};

/// How long a writer waits after a request without an answer.
const AGAIN: Duration = Duration::from_millis(50);
/// So many users are changed as often as all others together.
const BUSY: usize = 20;
/// The ids of requests that are rolled back begin so.
pub const ROLLED_BACK: &str = "rolled-back-";

/// What became of the requests, by `X-Request-Id`.
#[derive(Default)]
pub struct Tally {
    pub done: HashSet<String>,
    pub refused: HashSet<String>,
    pub unknown: usize,
    /// Answers that no fault excuses.
    pub odd: Vec<String>,
}

struct Writers {
    client: ApiClient,
    /// Those who can be changed.
    people: Mutex<Vec<i64>>,
    done: AtomicUsize,
    changes: usize,
}

/// Makes at least this many changes through the API, whatever goes wrong: a quarter are new users, and every eighth
/// request is one that the API refuses.
pub async fn write(client: ApiClient, writers: usize, changes: usize, seed: u64) -> Result<Tally> {
    let all = Arc::new(Writers {
        client,
        people: Mutex::default(),
        done: AtomicUsize::new(0),
        changes,
    });
    let each = (0..writers as u64).map(|number| tokio::spawn(Arc::clone(&all).go(number, seed.wrapping_add(number))));
    let mut sum = Tally::default();
    for tally in try_join_all(each).await? {
        sum.done.extend(tally.done);
        sum.refused.extend(tally.refused);
        sum.odd.extend(tally.odd);
        sum.unknown += tally.unknown;
    }
    Ok(sum)
}

impl Writers {
    async fn go(self: Arc<Self>, number: u64, seed: u64) -> Tally {
        let (mut random, mut tally) = (StdRng::seed_from_u64(seed), Tally::default());
        for count in 0.. {
            if self.done.load(Ordering::Relaxed) >= self.changes {
                break;
            }
            let id = format!("writer-{number}-{count}");
            let request = self.request(&id, &mut random).header("x-request-id", &id);
            match request.send().await {
                Ok(answer) if answer.status().is_success() => {
                    self.done.fetch_add(1, Ordering::Relaxed);
                    tally.done.insert(id);
                    let is_new = answer.status() == 201;
                    // Who is created without our knowing their id is not changed.
                    let user = answer.json::<Value>().await.unwrap_or_default();
                    if let Some(user) = user["id"].as_i64().filter(|_| is_new) {
                        self.people.lock().unwrap_or_else(PoisonError::into_inner).push(user);
                    }
                }
                Ok(answer) if matches!(answer.status().as_u16(), 409 | 412 | 422) => {
                    tally.refused.insert(id);
                }
                Ok(answer) => {
                    tally.unknown += 1;
                    let status = answer.status();
                    if status != 503 {
                        let text = answer.text().await.unwrap_or_default();
                        tally.odd.push(format!("{id}: {status} {text}"));
                    }
                    sleep(AGAIN).await;
                }
                Err(_) => {
                    tally.unknown += 1;
                    sleep(AGAIN).await;
                }
            }
        }
        tally
    }

    fn request(&self, id: &str, random: &mut StdRng) -> RequestBuilder {
        let request = |method, path: &str| self.client.request(method, path);
        let (name, address) = (format!("Ada the {id}"), format!("{id}@example.org"));
        let Some(user) = self.somebody(random) else {
            return request(Method::POST, "/users").json(&json!({"name": name, "email": address}));
        };
        let user = format!("/users/{user}");
        match random.random_range(0..1_000) {
            0..220 => request(Method::POST, "/users").json(&json!({"name": name, "email": address})),
            220..875 => request(Method::PATCH, &user).json(&json!({"name": name})),
            // The address is taken,
            875..905 => request(Method::POST, "/users").json(&json!({"name": name, "email": EMAIL})),
            905..940 => request(Method::PATCH, &user).json(&json!({"name": name, "email": EMAIL})),
            // another version was seen,
            940..970 => request(Method::PATCH, &user)
                .header("if-match", "\"0\"")
                .json(&json!({"name": name})),
            // or there is no name.
            _ => request(Method::PATCH, &user).json(&json!({"name": ""})),
        }
    }

    fn somebody(&self, random: &mut StdRng) -> Option<i64> {
        let people = self.people.lock().unwrap_or_else(PoisonError::into_inner);
        let some = if random.random_bool(0.5) {
            people.len().min(BUSY)
        } else {
            people.len()
        };
        (some > 0).then(|| people[random.random_range(0..some)])
    }
}

/// Writes users with their events, and rolls all of them back, until it is over. Answers how many.
pub async fn roll_back(context: AppContext, seed: u64, over: CancellationToken) -> Result<usize> {
    let (mut random, mut count) = (StdRng::seed_from_u64(seed), 0);
    while !over.is_cancelled() {
        let id = format!("{ROLLED_BACK}{count}");
        let actor = Actor {
            request_id: Some(id.clone()),
            ..Actor::system()
        };
        let new = person(&format!("{id}@example.org"))?;
        if let Ok(tx) = context.job_store.begin().await
            && users::create(&tx, &new, &actor).await.is_ok()
        {
            count += 1;
            sleep(Duration::from_millis(random.random_range(0..30))).await;
        }
        sleep(Duration::from_millis(random.random_range(0..30))).await;
    }
    Ok(count)
}
