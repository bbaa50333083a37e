use std::time::Duration;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::timeout,
};
use usher_testkit::{Flow, Proxy, eventually, run};

/// A server that says everything back.
async fn echo() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut from, mut to) = stream.split();
                let _ = tokio::io::copy(&mut from, &mut to).await;
            });
        }
    });
    port
}

async fn through(url: &str) -> TcpStream {
    TcpStream::connect(url.trim_start_matches("echo://")).await.unwrap()
}

/// Whether one byte comes back soon; an error is a connection that is over.
async fn answers(stream: &mut TcpStream) -> std::io::Result<bool> {
    stream.write_all(b"x").await?;
    match timeout(Duration::from_millis(300), stream.read_u8()).await {
        Ok(byte) => byte.map(|_| true),
        Err(_) => Ok(false),
    }
}

#[test]
fn a_network_passes_stalls_and_passes_again_without_losing_a_byte() {
    run(async {
        let (proxy, url) = Proxy::instead_of(&format!("echo://127.0.0.1:{}", echo().await));
        let mut stream = through(&url).await;
        assert!(answers(&mut stream).await.unwrap());
        for flow in [Flow::Stalls, Flow::StallsAnswers] {
            proxy.set(flow);
            assert!(!answers(&mut stream).await.unwrap(), "{flow:?}");
            assert!(
                !answers(&mut through(&url).await).await.unwrap(),
                "{flow:?} on a new connection"
            );
            proxy.set(Flow::Passes);
            assert_eq!(stream.read_u8().await.unwrap(), b'x', "the byte that was held");
        }
    });
}

#[test]
fn a_cut_ends_the_connections_there_are_and_stranded_ones_stay_silent() {
    run(async {
        let (proxy, url) = Proxy::instead_of(&format!("echo://127.0.0.1:{}", echo().await));
        let mut first = through(&url).await;
        assert!(answers(&mut first).await.unwrap());
        proxy.cut();
        assert_eq!(
            first.read_u8().await.unwrap_err().kind(),
            std::io::ErrorKind::ConnectionReset
        );

        let mut second = through(&url).await;
        assert!(answers(&mut second).await.unwrap());
        proxy.strand();
        assert!(!answers(&mut second).await.unwrap());
        assert!(answers(&mut through(&url).await).await.unwrap());

        proxy.set(Flow::Refuses);
        eventually(Duration::from_secs(5), "nothing listens", async || {
            TcpStream::connect(url.trim_start_matches("echo://")).await.err()
        })
        .await;
        proxy.set(Flow::Passes);
        eventually(Duration::from_secs(5), "it listens again", async || {
            TcpStream::connect(url.trim_start_matches("echo://")).await.ok()
        })
        .await;
    });
}
