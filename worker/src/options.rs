//! How one worker process runs, and its command line.

use std::{collections::BTreeMap, time::Duration};

use usher_shared::webhooks::WEBHOOK_QUEUE;

/// Options of a worker. [`Options::default`] suits most.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// The queues to work on; empty means those of all registered kinds.
    pub queues: Vec<String>,
    /// Concurrency limit, 1 or more. A job whose worker was lost runs beside it.
    pub concurrency: usize,
    /// Queues with a concurrency limit of their own, independent of all others. The rest share
    /// [`Options::concurrency`]. Webhooks have 32 unless they are given others.
    pub own: BTreeMap<String, usize>,
    /// How long a job stays with a worker without a heartbeat; there is one every third of this. 3 s or more.
    pub lease: Duration,
    /// How long running jobs may take to finish at shutdown.
    pub drain: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            queues: Vec::new(),
            concurrency: 16,
            own: own_by_default(),
            lease: Duration::from_secs(15),
            drain: Duration::from_secs(25),
        }
    }
}

/// Webhooks wait for strangers, who must not hold up other jobs.
const OF_WEBHOOKS: usize = 32;

fn own_by_default() -> BTreeMap<String, usize> {
    BTreeMap::from([(WEBHOOK_QUEUE.to_owned(), OF_WEBHOOKS)])
}

/// The command line of a worker, besides the settings.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Queues to serve, separated by commas; `mail:8` gives mail 8 handlers of its own
    /// [default: every queue of a registered kind]
    #[arg(long, value_delimiter = ',', value_name = "mail:8,default", value_parser = parse_queue)]
    queues: Vec<(String, Option<usize>)>,
    /// Concurrency limit of all queues without handlers of their own
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=1000))]
    concurrency: u16,
}

impl From<Args> for Options {
    fn from(args: Args) -> Self {
        let own = args
            .queues
            .iter()
            .filter_map(|(name, own)| Some((name.clone(), (*own)?)));
        Self {
            concurrency: usize::from(args.concurrency),
            own: own_by_default().into_iter().chain(own).collect(),
            queues: args.queues.into_iter().map(|(name, _)| name).collect(),
            ..Self::default()
        }
    }
}

/// A queue's name, with a number of handlers of its own or without.
fn parse_queue(text: &str) -> Result<(String, Option<usize>), String> {
    let (name, own) = match text.trim().split_once(':') {
        Some((name, number)) => (
            name,
            Some(number.parse().ok().filter(|number| (1..=1_000).contains(number))),
        ),
        None => (text.trim(), None),
    };
    if name.is_empty() || own == Some(None) {
        return Err("name a queue, alone or with 1 to 1000 handlers of its own, for example mail:8".to_owned());
    }
    Ok((name.to_owned(), own.flatten()))
}
