//! The API on a real socket: what only a server does.

use std::time::{Duration, Instant};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tokio_util::sync::CancellationToken;
use usher_testkit::{TestDb, on_both};

use crate::app::TestApp;

async fn read_answer(stream: &mut TcpStream) -> String {
    let mut bytes = vec![];
    stream.read_to_end(&mut bytes).await.expect("an answer");
    String::from_utf8_lossy(&bytes).into_owned()
}

#[on_both]
async fn what_runs_is_finished_before_it_stops(db: TestDb) {
    let app = TestApp::with(db, &[("SIGN_UP", "open")]).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, stop) = (listener.local_addr().unwrap(), CancellationToken::new());
    let (context, stopping) = (app.context.clone(), stop.clone());
    let serving = tokio::spawn(async move { usher_api::serve(&context, listener, stopping).await });

    // The router takes its time to build; from its first answer on it listens to the stop.
    let mut first = TcpStream::connect(address).await.unwrap();
    let probe = b"GET /health/live HTTP/1.1\r\nHost: usher\r\nConnection: close\r\n\r\n";
    first.write_all(probe).await.unwrap();
    assert!(read_answer(&mut first).await.starts_with("HTTP/1.1 200"));

    let body = r#"{"name": "Ada", "email": "ada@example.com"}"#;
    let head = format!(
        "POST /users HTTP/1.1\r\nHost: usher\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let mut slow = TcpStream::connect(address).await.unwrap();
    slow.write_all(head.as_bytes()).await.unwrap();
    slow.write_all(&body.as_bytes()[..10]).await.unwrap();
    tokio::time::sleep(Duration::from_millis(200)).await;
    stop.cancel();
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(TcpStream::connect(address).await.is_err(), "nobody new is let in");
    slow.write_all(&body.as_bytes()[10..]).await.unwrap();
    let answer = read_answer(&mut slow).await;
    assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
    let asked = Instant::now();
    serving.await.unwrap();
    assert!(asked.elapsed() < Duration::from_secs(2));
    assert_eq!(app.count_users().await, 1);
}

#[on_both]
async fn the_peers_address_counts_as_the_clients(db: TestDb) {
    let app = TestApp::with(db, &[("SIGN_UP", "open")]).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, stop) = (listener.local_addr().unwrap(), CancellationToken::new());
    let (context, stopping) = (app.context.clone(), stop.clone());
    let serving = tokio::spawn(async move { usher_api::serve(&context, listener, stopping).await });
    let mut last = String::new();
    for number in 0..11 {
        let body = format!(r#"{{"name": "Ada", "email": "ada{number}@example.com"}}"#);
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = format!(
            "POST /users HTTP/1.1\r\nHost: usher\r\nConnection: close\r\nX-Forwarded-For: 192.0.2.{number}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        last = read_answer(&mut stream).await;
    }
    assert!(last.starts_with("HTTP/1.1 429"), "{last}");
    stop.cancel();
    serving.await.unwrap();
}
