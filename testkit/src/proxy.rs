//! A network that fails: a TCP proxy on 127.0.0.1 in front of a server, which stalls, cuts, strands and refuses.

use std::{io, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{ReadHalf, WriteHalf},
    },
    sync::watch,
    task::JoinHandle,
};

use crate::run::free_port;

/// How the network behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// Bytes pass in both directions.
    Passes,
    /// Connections are accepted and stay open, and nothing comes through.
    Stalls,
    /// What is asked arrives, the answers do not: a commit happens and nobody learns of it.
    StallsAnswers,
    /// Nothing listens.
    Refuses,
}

/// A port that leads to another one, until it is told otherwise. Needs a Tokio runtime; ends when dropped.
pub struct Proxy {
    port: u16,
    network: watch::Sender<Network>,
    listening: JoinHandle<()>,
}

#[derive(Clone, Copy)]
struct Network {
    flow: Flow,
    /// Connections that are older than the last cut are over.
    cuts: u64,
    /// Connections that are older than the last stranding stay open for ever, and nothing comes through.
    strandings: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    There,
    Back,
}

impl Proxy {
    /// A free port that leads to this one.
    #[must_use]
    pub fn to(target: u16) -> Self {
        let port = free_port();
        let (network, watching) = watch::channel(Network {
            flow: Flow::Passes,
            cuts: 0,
            strandings: 0,
        });
        let listener = std::net::TcpListener::bind(("127.0.0.1", port)).expect("a free port");
        listener.set_nonblocking(true).expect("a listener");
        let listener = TcpListener::from_std(listener).expect("a Tokio runtime");
        Self {
            port,
            network,
            listening: tokio::spawn(listen(listener, port, target, watching)),
        }
    }

    /// The same URL with this port in it: `redis://127.0.0.1:6379/0` becomes `redis://127.0.0.1:20001/0`.
    #[must_use]
    pub fn instead_of(url: &str) -> (Self, String) {
        let before = url.rfind(':').expect("a URL with a port") + 1;
        let length = url[before..]
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(url.len() - before);
        let target = url[before..before + length].parse().expect("a port");
        let proxy = Self::to(target);
        let through = format!("{}{}{}", &url[..before], proxy.port, &url[before + length..]);
        (proxy, through)
    }

    /// Lets the network be like this from now on, for old connections and new ones.
    pub fn set(&self, flow: Flow) {
        self.network.send_modify(|network| network.flow = flow);
    }

    /// Resets every connection there is; new ones are welcome as before.
    pub fn cut(&self) {
        self.network.send_modify(|network| network.cuts += 1);
    }

    /// Nothing comes through the connections there are any more, and they stay open, as when a firewall between has
    /// forgotten them; new ones are welcome as before.
    pub fn strand(&self) {
        self.network.send_modify(|network| network.strandings += 1);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.listening.abort(); // its connections end with the sender of the network
    }
}

async fn listen(mut listener: TcpListener, port: u16, target: u16, mut network: watch::Receiver<Network>) {
    let refuses = |network: &Network| network.flow == Flow::Refuses;
    loop {
        let mut watching = network.clone();
        loop {
            tokio::select! {
                _ = watching.wait_for(refuses) => break,
                accepted = listener.accept() => {
                    let Ok((client, _)) = accepted else { continue };
                    tokio::spawn(carry(client, target, network.clone()));
                }
            }
        }
        drop(listener);
        if network.wait_for(|network| !refuses(network)).await.is_err() {
            return;
        }
        listener = loop {
            match TcpListener::bind(("127.0.0.1", port)).await {
                Ok(listener) => break listener,
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        };
    }
}

/// One connection, until either side ends it or it is cut.
async fn carry(mut client: TcpStream, target: u16, network: watch::Receiver<Network>) {
    let born = *network.borrow();
    let Ok(mut server) = TcpStream::connect(("127.0.0.1", target)).await else {
        let _ = client.set_zero_linger();
        return;
    };
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let whole = {
        let ((from_client, to_client), (from_server, to_server)) = (client.split(), server.split());
        let there = forward(from_client, to_server, Direction::There, born, network.clone());
        let back = forward(from_server, to_client, Direction::Back, born, network.clone());
        let mut watching = network;
        tokio::select! {
            ended = async { tokio::try_join!(there, back) } => ended.is_ok(),
            _ = watching.wait_for(|now| now.cuts != born.cuts) => false,
        }
    };
    if !whole {
        let _ = (client.set_zero_linger(), server.set_zero_linger());
    }
}

async fn forward(
    mut from: ReadHalf<'_>,
    mut to: WriteHalf<'_>,
    direction: Direction,
    born: Network,
    mut network: watch::Receiver<Network>,
) -> io::Result<()> {
    let mut bytes = vec![0; 16 * 1024];
    loop {
        let count = from.read(&mut bytes).await?;
        let passes = |now: &Network| {
            let flows = match now.flow {
                Flow::Passes | Flow::Refuses => true,
                Flow::StallsAnswers => direction == Direction::There,
                Flow::Stalls => false,
            };
            flows && (now.cuts, now.strandings) == (born.cuts, born.strandings)
        };
        network.wait_for(passes).await.map_err(io::Error::other)?;
        if count == 0 {
            return to.shutdown().await;
        }
        to.write_all(&bytes[..count]).await?;
    }
}
