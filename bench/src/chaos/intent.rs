//! Who makes the jobs, and what they know of them: committed, rolled back, or unknown where a commit got no answer.

use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

use anyhow::Result;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use usher_shared::{AppContext, accounts::users, audit::Actor, jobs::enqueue};
use uuid::Uuid;

use super::worker::{Chaos, Deed};
use crate::programs::person;

/// What was promised.
#[derive(Default)]
pub struct Intent {
    pub committed: HashSet<Uuid>,
    pub rolled_back: HashSet<Uuid>,
    /// The addresses of users whose sign-up was committed, and so their welcome.
    pub welcomed: HashSet<String>,
    pub never_welcomed: HashSet<String>,
    /// Transactions whose commit got no answer.
    pub unknown: usize,
}

impl Intent {
    pub fn jobs(&self) -> usize {
        self.committed.len() + self.welcomed.len()
    }
}

/// Makes `count` jobs over this time, whatever goes wrong: three of ten are welcome mails, one transaction of twenty is
/// rolled back.
pub async fn make(context: AppContext, count: usize, time: Duration, seed: u64) -> Result<Intent> {
    let mut random = StdRng::seed_from_u64(seed);
    let (mut intent, mut people, began) = (Intent::default(), 0, Instant::now());
    while intent.jobs() < count {
        #[expect(clippy::cast_precision_loss, reason = "a pace")]
        let due = time.mul_f64(intent.jobs() as f64 / count as f64);
        tokio::time::sleep(due.saturating_sub(began.elapsed())).await;
        let (mut ids, mut addresses) = (Vec::new(), Vec::new());
        let size = random.random_range(1..40).min(count - intent.jobs());
        let written = async {
            let tx = context.job_store.begin().await?;
            for _ in 0..size {
                if random.random_bool(0.3) {
                    people += 1;
                    let address = format!("person{people}@example.org");
                    users::create(&tx, &person(&address)?, &Actor::system()).await?;
                    addresses.push(address);
                } else {
                    let millis = random.random_range(0..300);
                    let deed = match random.random_bool(0.7) {
                        true => Deed::Effect(millis),
                        false => Deed::Nap(millis),
                    };
                    ids.push(enqueue(&tx, Chaos { deed }).await?.id());
                }
            }
            anyhow::Ok(tx)
        };
        let written = written.await;
        let rolls_back = random.random_bool(0.05);
        match written {
            Ok(tx) if !rolls_back => match tx.commit().await {
                Ok(()) => {
                    intent.committed.extend(ids);
                    intent.welcomed.extend(addresses);
                }
                Err(_) => intent.unknown += 1,
            },
            // Dropping a transaction rolls it back; one that failed before its commit never came to be.
            _ => {
                intent.rolled_back.extend(ids);
                intent.never_welcomed.extend(addresses);
            }
        }
    }
    Ok(intent)
}
