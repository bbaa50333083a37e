//! What goes wrong, one fault after the other, chosen by a seed.

use std::time::Duration;

use anyhow::Result;
use rand::{RngExt, rngs::StdRng};
use tokio::time::sleep;
use usher_testkit::{Flow, Proxy};

use super::scene::{On, Scene};

/// One kind of trouble.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    KillWorker,
    KillAllWorkers,
    RollWorker,
    FreezeWorker,
    RestartRedis,
    FlushRedis,
    RestartDatabase,
    StallDatabase,
    LoseAnswersOfDatabase,
    CutDatabase,
    StrandDatabase,
    StallRedis,
    CutRedis,
    StallMail,
    CutMail,
}

const EVERYWHERE: [Fault; 5] = [
    Fault::KillWorker,
    Fault::KillAllWorkers,
    Fault::RollWorker,
    Fault::StallMail,
    Fault::CutMail,
];
/// A SQLite file is no server: a process that stands still may hold its lock, which no network does.
const WITH_POSTGRES: [Fault; 6] = [
    Fault::FreezeWorker,
    Fault::RestartDatabase,
    Fault::StallDatabase,
    Fault::LoseAnswersOfDatabase,
    Fault::CutDatabase,
    Fault::StrandDatabase,
];
const WITH_REDIS: [Fault; 4] = [
    Fault::RestartRedis,
    Fault::FlushRedis,
    Fault::StallRedis,
    Fault::CutRedis,
];

impl Fault {
    /// Those that can happen there.
    pub fn all(on: On) -> Vec<Self> {
        let mut faults = EVERYWHERE.to_vec();
        if on != On::Sqlite {
            faults.extend(WITH_POSTGRES);
        }
        if on == On::PostgresRedis {
            faults.extend(WITH_REDIS);
        }
        faults
    }

    /// Lets it happen, and be over. Answers how many workers may have lost what they had in hand.
    pub async fn strike(self, scene: &mut Scene, random: &mut StdRng) -> Result<usize> {
        let (workers, lease) = (scene.posts.len(), scene.crew.lease);
        let number = random.random_range(0..workers);
        // From a hiccup to longer than a lease.
        let while_ = Duration::from_millis(random.random_range(100..(lease + 3) * 1_000));
        let moment = Duration::from_millis(random.random_range(0..1_500));
        let post = &mut scene.posts[number];
        match self {
            Self::KillWorker => {
                post.kill();
                sleep(moment).await;
                scene.start(number).await;
                return Ok(1);
            }
            Self::KillAllWorkers => {
                scene.posts.iter_mut().for_each(super::scene::Post::kill);
                sleep(moment).await;
                scene.start_all().await;
                return Ok(workers);
            }
            Self::RollWorker => {
                post.roll().await?;
                scene.start(number).await;
                return Ok(0);
            }
            Self::FreezeWorker => post.freeze(while_).await,
            Self::RestartRedis => {
                if let Some(redis) = &mut scene.redis {
                    redis.stop();
                    sleep(moment).await;
                    redis.start_again().await;
                }
                return Ok(0);
            }
            Self::FlushRedis => {
                if let Some(redis) = &scene.redis {
                    redis.flush().await;
                }
                return Ok(0);
            }
            Self::RestartDatabase => {
                if let Some(postgres) = &mut scene.postgres {
                    postgres.stop();
                    sleep(moment).await;
                    postgres.start_again().await;
                }
                return Ok(workers);
            }
            Self::StallDatabase => stall(post.database.as_ref(), Flow::Stalls, while_, random).await,
            Self::LoseAnswersOfDatabase => stall(post.database.as_ref(), Flow::StallsAnswers, while_, random).await,
            Self::CutDatabase => cut(post.database.as_ref()),
            Self::StrandDatabase => post.database.iter().for_each(Proxy::strand),
            Self::StallRedis => {
                stall(post.redis.as_ref(), Flow::Stalls, while_, random).await;
                return Ok(0);
            }
            Self::CutRedis => {
                cut(post.redis.as_ref());
                return Ok(0);
            }
            Self::StallMail => stall(Some(&post.smtp), Flow::Stalls, while_, random).await,
            Self::CutMail => cut(Some(&post.smtp)),
        }
        Ok(1)
    }
}

/// Stalls a network for a while; it then passes on what it held, or resets it.
async fn stall(network: Option<&Proxy>, flow: Flow, time: Duration, random: &mut StdRng) {
    let Some(network) = network else { return };
    network.set(flow);
    sleep(time).await;
    if random.random_bool(0.5) {
        network.cut();
    }
    network.set(Flow::Passes);
}

fn cut(network: Option<&Proxy>) {
    network.into_iter().for_each(Proxy::cut);
}
