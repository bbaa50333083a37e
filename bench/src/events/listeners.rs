//! Many streams at one process: what they hold while nothing happens, and how fast an event comes to all of them.

use std::{
    net::Ipv4Addr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use futures::{StreamExt, TryStreamExt, future::try_join_all, stream};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpSocket, TcpStream},
    time::{sleep, timeout},
};

use super::{
    figures::{measured, note},
    scene::{ApiClient, Scene},
};
use crate::{
    sample::{cpu_ticks_of, memory_of, proportional_memory, rate},
    table::Figure,
};

/// MiB (PSS) of the API with all of them.
const MEMORY: f64 = 150.0;
/// Streams that are opened at the same time.
const AT_ONCE: usize = 64;
/// Streams from one address: Linux has 28,000 ports for each.
const OF_ONE_ADDRESS: usize = 20_000;
/// After this nothing of the beginning is under way any more.
const SETTLED: Duration = Duration::from_secs(5);
const ARRIVED_WITHIN: Duration = Duration::from_secs(300);
/// How often it is looked whether all have an event.
const LOOK: Duration = Duration::from_millis(1);

/// What all of them have got.
#[derive(Default)]
struct Counts {
    events: AtomicUsize,
    /// Streams that have ended.
    ended: AtomicUsize,
}

/// So many streams, and a burst of so many events to each.
pub async fn many(listeners: usize, burst: usize) -> Result<Vec<Figure>> {
    allow_files(listeners)?;
    let scene = Scene::open(1).await?;
    let api = &scene.clients[0];
    let process = scene.apis[0].id().context("the API does not run")?;
    api.create("before@example.org").await?;
    sleep(SETTLED).await;
    let before = proportional_memory(process)?;

    let counts = Arc::new(Counts::default());
    let began = Instant::now();
    let opening = stream::iter(0..listeners).map(|number| open(api, number, Arc::clone(&counts)));
    let open: Vec<()> = opening.buffer_unordered(AT_ONCE).try_collect().await?;
    let took = began.elapsed();
    ensure!(open.len() == listeners, "not all streams are open");
    sleep(SETTLED).await;
    let (with, resident) = (proportional_memory(process)?, memory_of(process));

    let began = Instant::now();
    api.create("first@example.org").await?;
    arrived(&counts, listeners).await?;
    let first = began.elapsed();

    let (began, ticks) = (Instant::now(), cpu_ticks_of(process));
    let addresses: Vec<String> = (0..burst).map(|number| format!("burst-{number}@example.org")).collect();
    try_join_all(addresses.iter().map(|address| api.create(address))).await?;
    arrived(&counts, listeners * (1 + burst)).await?;
    let (all, ticks) = (began.elapsed(), cpu_ticks_of(process) - ticks);
    let ended = counts.ended.load(Ordering::Relaxed);
    ensure!(ended == 0, "{ended} streams have ended");

    let on = format!("{listeners} streams");
    let figure = |what, value, unit, goal, beside| Figure {
        beside,
        ..measured(&on, what, value, unit, goal)
    };
    Ok(vec![
        note(&on, "opened in ms", usize::try_from(took.as_millis())?, String::new()),
        figure(
            "memory of the API with them (PSS)",
            with,
            "MiB",
            Some(MEMORY),
            format!("{before:.1} before; RSS {resident:.1}"),
        ),
        figure(
            "memory after the burst (PSS)",
            proportional_memory(process)?,
            "MiB",
            None,
            String::new(),
        ),
        figure(
            "one event, until the last has it",
            first.as_secs_f64() * 1_000.0,
            "ms",
            None,
            "from the request of its change".to_owned(),
        ),
        figure(
            "a burst, events delivered",
            rate(listeners * burst, all),
            "/s",
            None,
            format!(
                "{burst} events to each; {:.1} µs of CPU of the API each",
                ticks * 10_000.0 / (listeners * burst) as f64
            ),
        ),
        figure(
            "a burst, until the last has all",
            all.as_secs_f64() * 1_000.0,
            "ms",
            None,
            "from the first request".to_owned(),
        ),
    ])
}

/// Raises the limit of open files as far as it goes; programs that are started get it as well.
fn allow_files(count: usize) -> Result<()> {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    setrlimit(
        Resource::Nofile,
        Rlimit {
            current: maximum,
            maximum,
        },
    )?;
    let enough = maximum.is_none_or(|maximum| maximum > count as u64 + 200);
    ensure!(
        enough,
        "{maximum:?} open files are too few for {count} streams: raise ulimit -Hn"
    );
    Ok(())
}

/// Opens a stream, and goes on reading it.
async fn open(api: &ApiClient, number: usize, counts: Arc<Counts>) -> Result<()> {
    let socket = TcpSocket::new_v4()?;
    let host = u8::try_from(2 + number / OF_ONE_ADDRESS)?;
    socket.bind((Ipv4Addr::new(127, 0, 0, host), 0).into())?;
    let mut stream = socket.connect(api.address.parse()?).await?;
    let request = format!(
        "GET /events HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\nAccept: text/event-stream\r\n\r\n",
        api.address, api.key
    );
    stream.write_all(request.as_bytes()).await?;
    let mut lines = BufReader::with_capacity(2_048, stream);
    let mut line = Vec::new();
    lines.read_until(b'\n', &mut line).await?;
    ensure!(
        line.starts_with(b"HTTP/1.1 200"),
        "a stream is answered {}",
        String::from_utf8_lossy(&line)
    );
    while !line.starts_with(b"id: ") {
        line.clear();
        let read = lines.read_until(b'\n', &mut line).await?;
        ensure!(read > 0, "a stream ends before it begins");
    }
    tokio::spawn(async move {
        // An error is an end, too.
        let _ = count(&mut lines, &counts).await;
        counts.ended.fetch_add(1, Ordering::Relaxed);
    });
    Ok(())
}

/// Counts events until the end. A chunk of the body has whole messages, so each line of data begins a line here.
async fn count(lines: &mut BufReader<TcpStream>, counts: &Counts) -> Result<()> {
    let mut line = Vec::new();
    while lines.read_until(b'\n', &mut line).await? > 0 {
        if line.starts_with(b"data: ") {
            counts.events.fetch_add(1, Ordering::Relaxed);
        }
        line.clear();
    }
    Ok(())
}

/// Waits until all have got so many events together.
async fn arrived(counts: &Counts, events: usize) -> Result<()> {
    let all = async {
        while counts.events.load(Ordering::Relaxed) < events {
            sleep(LOOK).await;
        }
    };
    let all = timeout(ARRIVED_WITHIN, all).await;
    all.with_context(|| format!("{} of {events} events", counts.events.load(Ordering::Relaxed)))
}
