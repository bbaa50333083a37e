use std::time::Duration;

use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    time::timeout,
};
use usher_testkit::{Accepted, Deed, SmtpSink, Step, run};

/// The server's last answer to one mail; none when it says nothing or the connection is over.
async fn send(sink: &SmtpSink, id: u32) -> Option<String> {
    let address = sink.url().trim_start_matches("smtp://").to_owned();
    let mut stream = BufReader::new(TcpStream::connect(address).await.ok()?);
    let body = format!("Subject: x\r\nMessage-ID: <{id}@usher>\r\n\r\nHello\r\n.");
    let mut answer = String::new();
    for command in [
        "",
        "EHLO test",
        "MAIL FROM:<a@b>",
        "RCPT TO:<ada@example.org>",
        "DATA",
        &body,
    ] {
        if !command.is_empty() {
            stream.write_all(format!("{command}\r\n").as_bytes()).await.ok()?;
        }
        loop {
            answer.clear();
            let line = timeout(Duration::from_millis(500), stream.read_line(&mut answer));
            if line.await.ok()?.ok()? == 0 {
                return None;
            }
            if answer.get(3..4) != Some("-") {
                break;
            }
        }
        if answer.starts_with(['4', '5']) {
            break;
        }
    }
    Some(answer)
}

#[test]
fn what_is_accepted_is_kept_by_its_message_id() {
    run(async {
        let sink = SmtpSink::start().await;
        for id in 0..3 {
            assert!(send(&sink, id).await.unwrap().starts_with("250"));
        }
        let mail = |id| Accepted {
            message_id: format!("<{id}@usher>"),
            to: "ada@example.org".to_owned(),
        };
        assert_eq!(sink.accepted(), [mail(0), mail(1), mail(2)]);
    });
}

#[test]
fn it_misbehaves_where_it_is_told_to() {
    run(async {
        let sink = SmtpSink::start().await;
        for step in [Step::Greeting, Step::Sender, Step::Recipient, Step::Data, Step::Body] {
            sink.misbehave(step, Deed::Says("451 4.3.0 Later"));
            assert_eq!(send(&sink, 1).await.unwrap(), "451 4.3.0 Later\r\n", "{step:?}");
            for deed in [Deed::Hangs, Deed::Drops] {
                sink.misbehave(step, deed.clone());
                assert_eq!(send(&sink, 1).await, None, "{step:?}: {deed:?}");
            }
        }
        sink.misbehave(Step::MidBody, Deed::Drops);
        assert_eq!(send(&sink, 1).await, None);
        assert_eq!(sink.accepted(), []);

        sink.misbehave(Step::Accepted, Deed::Drops);
        assert_eq!(send(&sink, 1).await, None);
        assert_eq!(sink.accepted().len(), 1, "accepted, and nobody learns of it");
        sink.behave();
        assert!(send(&sink, 2).await.unwrap().starts_with("250"));
    });
}
