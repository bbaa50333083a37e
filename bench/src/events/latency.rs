//! How soon an event is there: from the commit of its change, as PostgreSQL notes it, to whoever follows.

use std::{collections::HashMap, time::Duration};

use anyhow::{Context, Result, ensure};
use chrono::{DateTime, Utc};
use futures::future::try_join_all;
use sea_orm::{ConnectionTrait, DbBackend, Statement};
use tokio::time::{MissedTickBehavior, interval, sleep};
use usher_shared::{AppContext, foundation::time::now};
use uuid::Uuid;

use super::{
    figures::measured,
    follower::{Follower, Way},
    receiver::Receiver,
    scene::{ApiClient, Scene},
};
use crate::{sample::quantile, table::Figure};

/// Milliseconds from the commit.
const HALF: f64 = 10.0;
const ALMOST_ALL: f64 = 50.0;
/// Changes of this long are made before any counts.
const WARM: Duration = Duration::from_secs(2);
const ARRIVED_WITHIN: Duration = Duration::from_secs(30);

/// A change as its client knows it.
struct Change {
    user: i64,
    asked: DateTime<Utc>,
    answered: DateTime<Utc>,
}

/// An event of the database.
struct Written {
    id: Uuid,
    committed: DateTime<Utc>,
}

/// At so many changes a second, for so many seconds.
pub async fn of_changes(rate: u32, seconds: u32) -> Result<Vec<Figure>> {
    let scene = Scene::open(2).await?;
    let [api, other] = &scene.clients[..] else {
        anyhow::bail!("two APIs");
    };
    let receiver = Receiver::start().await?;
    api.send_to(&receiver).await?;
    let follow = |api: &ApiClient| Follower::begin(api.clone(), Way::Stream);
    let (near, far) = (follow(api), follow(other));
    let warm = changes(api, rate, WARM, "warm").await?.len();
    let changes = changes(api, rate, Duration::from_secs(seconds.into()), "change").await?;

    let all = warm + changes.len();
    let arrived = async {
        while receiver.count() < all || near.diary().seen.len() < all || far.diary().seen.len() < all {
            sleep(Duration::from_millis(10)).await;
        }
    };
    let arrived = tokio::time::timeout(ARRIVED_WITHIN, arrived).await;
    arrived.context("not everything has arrived")?;
    let written = written(&scene.context).await?;
    let seen = |follower: &Follower| {
        let diary = follower.diary();
        diary
            .seen
            .iter()
            .map(|(at, seen)| (seen.id, *at))
            .collect::<HashMap<_, _>>()
    };
    let came = receiver.arrivals().into_iter().rev().map(|(at, id)| (id, at)).collect();
    let mut figures = vec![];
    for (on, arrivals) in [
        ("stream of the same API", seen(&near)),
        ("stream of another API", seen(&far)),
        ("webhook", came),
    ] {
        figures.extend(compare(on, &changes, &written, &arrivals)?);
    }
    Ok(figures)
}

/// Creates users at this pace, without waiting for answers.
async fn changes(api: &ApiClient, rate: u32, time: Duration, name: &str) -> Result<Vec<Change>> {
    let mut clock = interval(Duration::from_secs(1) / rate);
    clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut created = Vec::new();
    for number in 0..time.as_secs() * u64::from(rate) {
        clock.tick().await;
        let (api, address) = (api.clone(), format!("{name}-{number}@example.org"));
        created.push(tokio::spawn(async move {
            let asked = now();
            let user = api.create(&address).await?;
            anyhow::Ok(Change {
                user,
                asked,
                answered: now(),
            })
        }));
    }
    try_join_all(created).await?.into_iter().collect()
}

/// The event of each user, with the time at which its transaction began to commit: the wait for the disk comes after it.
async fn written(context: &AppContext) -> Result<HashMap<i64, Written>> {
    let query = "SELECT object_id::bigint AS user_id, event_id, pg_xact_commit_timestamp(xmin) AS committed FROM events \
                 WHERE type = 'user.created'";
    let statement = Statement::from_string(DbBackend::Postgres, query);
    let mut written = HashMap::new();
    for row in context.db.query_all_raw(statement).await? {
        let event = Written {
            id: row.try_get("", "event_id")?,
            committed: row.try_get("", "committed")?,
        };
        written.insert(row.try_get("", "user_id")?, event);
    }
    Ok(written)
}

fn compare(
    on: &str,
    changes: &[Change],
    written: &HashMap<i64, Written>,
    arrivals: &HashMap<Uuid, DateTime<Utc>>,
) -> Result<Vec<Figure>> {
    let (mut commits, mut answers, mut requests) = (vec![], vec![], vec![]);
    for change in changes {
        let event = written.get(&change.user).context("a change without its event")?;
        let arrived = *arrivals.get(&event.id).context("an event that did not arrive")?;
        ensure!(change.asked <= arrived, "an event before its request");
        // An event can be there before the answer is.
        let since = |begin: DateTime<Utc>| (arrived - begin).to_std().unwrap_or_default();
        commits.push(since(event.committed));
        answers.push(since(change.answered));
        requests.push(since(change.asked));
    }
    let mut figures = vec![];
    for (what, q, goal) in [
        ("commit to event, p50", 0.5, HALF),
        ("commit to event, p99", 0.99, ALMOST_ALL),
    ] {
        let beside = format!(
            "{:.1} from the answer to the change, {:.1} from its request; {} changes",
            quantile(&mut answers, q),
            quantile(&mut requests, q),
            changes.len()
        );
        figures.push(Figure {
            beside,
            ..measured(on, what, quantile(&mut commits, q), "ms", Some(goal))
        });
    }
    Ok(figures)
}
