//! Slow clients on a real socket.

use std::{net::SocketAddr, time::Duration};

use axum::{Router, extract::ConnectInfo, routing::post};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;
use usher_serve::{Patience, serve};

const PATIENCE: Patience = Patience {
    head: Duration::from_secs(2),
    drain: Duration::from_secs(60),
};

/// A server that answers a POST with its body and the client's address, and what stops it.
async fn start(patience: Patience) -> (SocketAddr, CancellationToken, JoinHandle<()>) {
    let echo = async |ConnectInfo(peer): ConnectInfo<SocketAddr>, body: String| format!("{body} from {}", peer.ip());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, stop) = (listener.local_addr().unwrap(), CancellationToken::new());
    let router = Router::new().route("/", post(echo));
    let serving = tokio::spawn(serve(router, listener, patience, stop.clone()));
    (address, stop, serving)
}

/// Everything until the server closes the connection.
async fn rest(stream: &mut TcpStream) -> String {
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    text
}

#[tokio::test]
async fn a_head_that_does_not_come_to_an_end_is_cut_off() {
    let (address, ..) = start(PATIENCE).await;
    let mut silent = TcpStream::connect(address).await.unwrap();
    let mut slow = TcpStream::connect(address).await.unwrap();
    slow.write_all(b"POST / HTTP/1.1\r\nHost: usher\r\nX-Slow: ")
        .await
        .unwrap();
    // Each read ends when the server closes; without a limit neither would.
    assert!(!rest(&mut slow).await.starts_with("HTTP/1.1 200"));
    assert_eq!(rest(&mut silent).await, "");
}

#[tokio::test]
async fn a_byte_now_and_then_does_not_keep_a_head_alive() {
    let (address, ..) = start(PATIENCE).await;
    let mut slow = TcpStream::connect(address).await.unwrap();
    slow.write_all(b"POST / HTTP/1.1\r\nHost: usher\r\nX-Slow: ")
        .await
        .unwrap();
    // Ends when the server has closed and a write fails.
    while slow.write_all(b"x").await.is_ok() {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn a_body_may_come_slowly() {
    let (address, ..) = start(PATIENCE).await;
    let mut slow = TcpStream::connect(address).await.unwrap();
    slow.write_all(b"POST / HTTP/1.1\r\nHost: usher\r\nConnection: close\r\nContent-Length: 5\r\n\r\nslo")
        .await
        .unwrap();
    tokio::time::sleep(PATIENCE.head + Duration::from_secs(1)).await;
    slow.write_all(b"w!").await.unwrap();
    let answer = rest(&mut slow).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.ends_with("slow! from 127.0.0.1"), "{answer}");
}

#[tokio::test]
async fn what_runs_is_finished_before_it_stops_and_idle_connections_are_closed() {
    let (address, stop, serving) = start(Patience {
        head: Duration::from_secs(60),
        ..PATIENCE
    })
    .await;
    let head = "POST / HTTP/1.1\r\nHost: usher\r\nContent-Length: 2\r\n";
    // It has been answered, so the server knows it, and waits for the next request.
    let mut idle = TcpStream::connect(address).await.unwrap();
    idle.write_all(format!("{head}\r\nhi").as_bytes()).await.unwrap();
    let mut first = [0; 12];
    idle.read_exact(&mut first).await.unwrap();
    // The server asks for the body, so the handler is running.
    let mut running = TcpStream::connect(address).await.unwrap();
    running
        .write_all(format!("{head}Expect: 100-continue\r\n\r\n").as_bytes())
        .await
        .unwrap();
    let mut asked = [0; 25];
    running.read_exact(&mut asked).await.unwrap();
    assert_eq!(&asked, b"HTTP/1.1 100 Continue\r\n\r\n");

    stop.cancel();
    assert!(rest(&mut idle).await.ends_with("hi from 127.0.0.1"));
    assert!(!serving.is_finished());
    running.write_all(b"ok").await.unwrap();
    assert!(rest(&mut running).await.ends_with("ok from 127.0.0.1"));
    serving.await.unwrap();
    assert!(TcpStream::connect(address).await.is_err(), "nobody new is let in");
}

/// What the server answers to this head.
async fn answered(address: SocketAddr, head: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    rest(&mut stream).await
}

#[tokio::test]
async fn a_request_says_its_host_once() {
    let (address, ..) = start(PATIENCE).await;
    let end = "Connection: close\r\nContent-Length: 2\r\n\r\nhi";
    for good in [
        "POST / HTTP/1.1\r\nHost: usher\r\n",
        "POST / HTTP/1.1\r\nhOsT:usher:80\r\n",
        "POST http://usher/ HTTP/1.1\r\nHost: usher\r\n",
        "POST / HTTP/1.0\r\n",
        "POST / HTTP/1.0\r\nHost: usher\r\n",
    ] {
        let answer = answered(address, &format!("{good}{end}")).await;
        assert!(answer.ends_with("hi from 127.0.0.1"), "{good:?}: {answer}");
    }
    for bad in [
        "POST / HTTP/1.1\r\n",
        "POST / HTTP/1.1\r\nHost: usher\r\nHost: usher\r\n",
        "POST / HTTP/1.1\r\nHost: usher\r\nhost: evil.example\r\n",
        "POST http://usher/ HTTP/1.1\r\n",
        "POST / HTTP/1.1\r\nHost:\r\n",
        "POST / HTTP/1.1\r\nHost: usher, evil.example\r\n",
        "POST / HTTP/1.1\r\nHost: user@usher\r\n",
        "POST / HTTP/1.0\r\nHost: usher\r\nHost: evil.example\r\n",
    ] {
        let answer = answered(address, &format!("{bad}{end}")).await;
        assert!(
            answer.starts_with("HTTP/1.") && answer.contains(" 400 "),
            "{bad:?}: {answer}"
        );
        assert!(!answer.contains("from 127.0.0.1"), "{bad:?}: {answer}");
    }
    // Nothing behind it on the same connection is read.
    let two = "POST / HTTP/1.1\r\nHost: a\r\nHost: b\r\nContent-Length: 2\r\n\r\nhiPOST / HTTP/1.1\r\nHost: a\r\nConnection: \
        close\r\nContent-Length: 2\r\n\r\nhi";
    let answer = answered(address, two).await;
    assert!(answer.matches("HTTP/1.1").count() == 1, "{answer}");
}
