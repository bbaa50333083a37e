//! Changes while everything around them fails: does everybody learn of each of them?

use std::{
    collections::BTreeMap,
    io::Write,
    time::{Duration, Instant},
};

use anyhow::Result;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use sea_orm::{ColumnTrait, DbErr, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use usher_shared::foundation::entity::{
    event, event_reader,
    webhook_delivery::{self, DeliveryState},
};

use super::{
    figures::{none, note},
    follower::{Follower, Way},
    receiver::Receiver,
    scene::Scene,
    verdict::Truth,
    writers,
};
use crate::table::Figure;

/// Who does not get on for so long has lost something: longer than a worker's lease, and what follows.
const STANDSTILL: Duration = Duration::from_secs(120);
/// How long a server stays away at most, in milliseconds.
const AWAY: u64 = 1_500;

/// How much of it.
#[derive(Clone, Copy)]
pub struct Storm {
    pub changes: usize,
    pub writers: usize,
    /// Between two faults.
    pub pause: Duration,
    pub seed: u64,
}

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fault {
    KillApi,
    KillWorker,
    KillRedis,
    RestartPostgres,
}

const FAULTS: [Fault; 4] = [
    Fault::KillApi,
    Fault::KillWorker,
    Fault::KillRedis,
    Fault::RestartPostgres,
];

impl Storm {
    pub async fn rage(self) -> Result<Vec<Figure>> {
        let mut scene = Scene::open(1).await?;
        let api = scene.clients[0].clone();
        let receivers = [Receiver::start().await?, Receiver::start().await?];
        let endpoints = [api.send_to(&receivers[0]).await?, api.send_to(&receivers[1]).await?];
        let ways = [("a stream", Way::Stream), ("pages", Way::Pages)];
        let followers = ways.map(|(name, way)| (name, Follower::begin(api.clone(), way)));

        let (began, over) = (Instant::now(), CancellationToken::new());
        let writing = tokio::spawn(writers::write(api, self.writers, self.changes, self.seed));
        let rolling_back = writers::roll_back(scene.context.clone(), self.seed, over.clone());
        let rolling_back = tokio::spawn(rolling_back);
        let struck = self.strike_while(&mut scene, || !writing.is_finished()).await?;
        let tally = writing.await??;
        over.cancel();
        let rolled_back = rolling_back.await??;
        let written = began.elapsed();
        let arrived = receivers.iter().map(Receiver::count).sum::<usize>();
        settle(&scene, &followers, &receivers).await?;
        let settled = began.elapsed() - written;

        let truth = Truth::read(&scene.context).await?;
        let (faults, seed) = (struck.values().sum(), self.seed);
        let told: Vec<_> = struck
            .iter()
            .map(|(fault, count)| format!("{fault:?} {count}"))
            .collect();
        let on = "storm";
        let mut figures = vec![
            note(on, "faults", faults, format!("seed {seed}: {}", told.join(", "))),
            note(
                on,
                "changes confirmed",
                tally.done.len(),
                format!(
                    "in {} s, {} requests without an answer or 503",
                    written.as_secs(),
                    tally.unknown
                ),
            ),
            note(on, "requests refused", tally.refused.len(), String::new()),
            note(
                on,
                "changes rolled back",
                rolled_back,
                "with their events written".to_owned(),
            ),
            none(on, "answers that no fault excuses", tally.odd.len()),
            note(
                on,
                "seconds until everybody knew everything",
                usize::try_from(settled.as_secs())?,
                format!("after the last change; {arrived} webhooks had come by then"),
            ),
        ];
        figures.extend(truth.judge_database(&tally));
        let mut odd = tally.odd;
        for (name, follower) in &followers {
            let diary = follower.diary();
            let on = format!("reader of {name}");
            figures.push(note(&on, "connections", diary.connections, String::new()));
            figures.push(none(&on, "answers that no fault excuses", diary.odd.len()));
            figures.extend(truth.judge_reader(&on, &diary.seen));
            odd.extend_from_slice(&diary.odd);
        }
        for (number, (endpoint, receiver)) in endpoints.into_iter().zip(&receivers).enumerate() {
            let on = format!("webhook {}", number + 1);
            figures.extend(truth.judge_webhooks(&on, endpoint, &receiver.arrivals()));
        }
        for example in odd.iter().take(10) {
            writeln!(std::io::stderr(), "{example}")?;
        }
        Ok(figures)
    }

    /// Each kind once before any of them again, for as long as it is so.
    async fn strike_while(self, scene: &mut Scene, goes_on: impl Fn() -> bool) -> Result<BTreeMap<Fault, usize>> {
        let mut random = StdRng::seed_from_u64(self.seed);
        let (mut struck, mut unhappened) = (BTreeMap::new(), Vec::new());
        loop {
            let next = Instant::now() + self.pause.mul_f64(random.random_range(0.5..1.5));
            while goes_on() && Instant::now() < next {
                sleep(Duration::from_millis(50)).await;
            }
            if !goes_on() {
                return Ok(struck);
            }
            if unhappened.is_empty() {
                unhappened = FAULTS.to_vec();
            }
            let fault = unhappened.swap_remove(random.random_range(0..unhappened.len()));
            let away = Duration::from_millis(random.random_range(0..AWAY));
            fault.strike(scene, away).await;
            *struck.entry(fault).or_default() += 1;
        }
    }
}

impl Fault {
    /// Lets it happen, and be over.
    async fn strike(self, scene: &mut Scene, away: Duration) {
        match self {
            Self::KillApi => {
                scene.apis[0].kill();
                sleep(away).await;
            }
            Self::KillWorker => {
                scene.worker.kill();
                sleep(away).await;
            }
            Self::KillRedis => {
                scene.redis.kill();
                sleep(away).await;
                scene.redis.start_again().await;
            }
            Self::RestartPostgres => {
                scene.postgres.stop();
                sleep(away).await;
                scene.postgres.start_again().await;
            }
        }
        scene.start_all().await;
    }
}

/// Waits until readers and endpoints have everything, for as long as any of them gets on.
async fn settle(scene: &Scene, followers: &[(&str, Follower)], receivers: &[Receiver]) -> Result<(), DbErr> {
    let db = &scene.context.db;
    let newest: Option<i64> = event::Entity::find()
        .select_only()
        .column(event::Column::Id)
        .order_by_desc(event::Column::Id)
        .into_tuple()
        .one(db)
        .await?;
    let (mut last, mut since) = (None, Instant::now());
    while since.elapsed() < STANDSTILL {
        let readers = event_reader::Entity::find().all(db).await?;
        let mut positions: Vec<i64> = readers.iter().map(|reader| reader.position).collect();
        positions.extend(followers.iter().map(|(_, follower)| follower.diary().position));
        let pending = webhook_delivery::Entity::find()
            .filter(webhook_delivery::Column::State.eq(DeliveryState::Pending))
            .count(db)
            .await?;
        if pending == 0 && positions.iter().all(|position| Some(*position) >= newest) {
            break;
        }
        let arrived: Vec<usize> = receivers.iter().map(Receiver::count).collect();
        let now = Some((positions, pending, arrived));
        if now != last {
            (last, since) = (now, Instant::now());
        }
        sleep(Duration::from_millis(500)).await;
    }
    Ok(())
}
