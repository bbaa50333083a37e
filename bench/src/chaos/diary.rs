//! Which jobs were started when: a file that every worker appends to, and that no kill takes a line from.

use std::{
    collections::HashMap,
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

use chrono::{DateTime, Utc};
use usher_shared::foundation::time::now;
use uuid::Uuid;

/// A worker's pen.
pub struct Diary(File);

impl Diary {
    pub fn open(path: PathBuf) -> io::Result<Self> {
        File::options().create(true).append(true).open(path).map(Self)
    }

    /// Notes that a job starts now: one `write`, which SIGKILL cannot cut in half.
    pub fn note(&self, job: Uuid) -> io::Result<()> {
        let line = format!("{} {job}\n", now().timestamp_micros());
        (&self.0).write_all(line.as_bytes())
    }
}

/// The times at which each job was started, in order.
pub fn read(path: &Path) -> HashMap<Uuid, Vec<DateTime<Utc>>> {
    let mut starts: HashMap<_, Vec<_>> = HashMap::new();
    for line in fs::read_to_string(path).unwrap_or_default().lines() {
        let noted = line
            .split_once(' ')
            .and_then(|(at, job)| Some((DateTime::from_timestamp_micros(at.parse().ok()?)?, job.parse().ok()?)));
        if let Some((at, job)) = noted {
            starts.entry(job).or_default().push(at);
        }
    }
    starts.values_mut().for_each(|times| times.sort_unstable());
    starts
}
