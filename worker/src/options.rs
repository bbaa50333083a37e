//! How one worker process runs.

use std::{collections::BTreeMap, time::Duration};

/// Options of a worker. [`Options::default`] suits most.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// The queues to work on; empty means those of all registered kinds.
    pub queues: Vec<String>,
    /// Concurrency limit, 1 or more. A job whose worker was lost runs beside it.
    pub concurrency: usize,
    /// Queues with a concurrency limit of their own, independent of all others. The rest share
    /// [`Options::concurrency`].
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
            own: BTreeMap::new(),
            lease: Duration::from_secs(15),
            drain: Duration::from_secs(25),
        }
    }
}

/// Help for the flags of a worker, besides the application's settings.
pub const USAGE: &str = "--queues mail:8,default (default: every queue with a registered kind; mail has 8 \
     handlers of its own), --concurrency 16";

impl Options {
    /// The flags that [`Self::from_args`] takes, each with its help.
    pub const FLAGS: [(&str, &str); 2] = [
        (
            "--queues",
            "Queues to serve, separated by commas; `mail:8` gives mail 8 handlers of its own",
        ),
        (
            "--concurrency",
            "Concurrency limit of all queues without handlers of their own",
        ),
    ];

    /// Takes `--queues` and `--concurrency` out of a command line, and returns the other arguments as well. The error
    /// is one line with an example.
    pub fn from_args(args: impl IntoIterator<Item = String>) -> anyhow::Result<(Self, Vec<String>)> {
        let (mut options, mut others) = (Self::default(), Vec::new());
        let mut args = args.into_iter();
        while let Some(arg) = args.next() {
            let (flag, given) = match arg.split_once('=') {
                Some((flag, value)) => (flag.to_owned(), Some(value.to_owned())),
                None => (arg.clone(), None),
            };
            if !matches!(flag.as_str(), "--queues" | "--concurrency") {
                others.push(arg);
                continue;
            }
            let value = given.or_else(|| args.next()).unwrap_or_default();
            if flag == "--queues" {
                options.serve_queues(&value)?;
            } else {
                options.concurrency = parse_concurrency(&value)?;
            }
        }
        Ok((options, others))
    }

    /// Parses queue names separated by commas, each with or without a number of handlers of its own: `mail:8,default`.
    pub fn serve_queues(&mut self, text: &str) -> anyhow::Result<()> {
        for part in text.split(',').map(str::trim) {
            let (name, own) = match part.split_once(':') {
                Some((name, number)) => (name, Some(number)),
                None => (part, None),
            };
            let own = own.map(|number| number.parse().ok().filter(|number| (1..=1_000).contains(number)));
            if name.is_empty() || own == Some(None) {
                anyhow::bail!(
                    "--queues {text:?} is not a list of queues; handlers of their own are 1 to 1000, \
                     for example --queues mail:8,default"
                );
            }
            self.queues.push(name.to_owned());
            if let Some(Some(handlers)) = own {
                self.own.insert(name.to_owned(), handlers);
            }
        }
        Ok(())
    }
}

/// 1 to 1,000 jobs at the same time.
fn parse_concurrency(text: &str) -> anyhow::Result<usize> {
    match text.parse() {
        Ok(number @ 1..=1_000) => Ok(number),
        _ => anyhow::bail!("--concurrency {text:?} is not a number from 1 to 1000, for example --concurrency 16"),
    }
}
