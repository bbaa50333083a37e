use std::time::Duration;

use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
};
use usher_testkit::{Smtp, run};

/// Text and HTML, with an encoded subject and a quoted-printable body.
const MAIL: &str = "From: Usher <usher@localhost>\r\n\
    To: ada@example.com\r\n\
    Message-ID: <1@usher>\r\n\
    Subject: =?utf-8?Q?Gr=C3=BC=C3=9Fe?=\r\n\
    MIME-Version: 1.0\r\n\
    Content-Type: multipart/alternative; boundary=b\r\n\
    \r\n\
    --b\r\n\
    Content-Type: text/plain; charset=utf-8\r\n\
    Content-Transfer-Encoding: quoted-printable\r\n\
    \r\n\
    Hello =C3=84da\r\n\
    --b\r\n\
    Content-Type: text/html; charset=utf-8\r\n\
    \r\n\
    <p>Hello</p>\r\n\
    --b--\r\n";

/// The server's last answer to one mail, spoken by hand so that nothing of the product is in between.
async fn send(smtp: &Smtp, to: &str) -> String {
    let address = smtp.url().trim_start_matches("smtp://").to_owned();
    let mut stream = BufReader::new(TcpStream::connect(address).await.expect("the server listens"));
    let mut answer = String::new();
    stream.read_line(&mut answer).await.unwrap();
    for command in [
        "HELO test",
        "MAIL FROM:<usher@localhost>",
        &format!("RCPT TO:<{to}>"),
        "DATA",
        &format!("{MAIL}\r\n."),
    ] {
        stream.write_all(format!("{command}\r\n").as_bytes()).await.unwrap();
        answer.clear();
        stream.read_line(&mut answer).await.unwrap();
        if answer.starts_with(['4', '5']) {
            break;
        }
    }
    answer
}

#[test]
fn a_mail_arrives_with_its_parts_decoded() {
    run(async {
        let smtp = Smtp::start().await;
        assert!(send(&smtp, "ada@example.com").await.starts_with("250"));

        let mails = smtp.wait_for(1, Duration::from_secs(5)).await;
        let [mail] = mails.as_slice() else {
            panic!("one mail, not {mails:?}")
        };
        assert_eq!(
            (mail.to.as_str(), mail.from.as_str()),
            ("ada@example.com", "usher@localhost")
        );
        assert_eq!(
            (mail.message_id.as_str(), mail.subject.as_str()),
            ("<1@usher>", "Grüße")
        );
        assert_eq!((mail.text.trim(), mail.html.trim()), ("Hello Äda", "<p>Hello</p>"));
        assert_eq!(mail.header("mime-version"), Some("1.0"));
    });
}

#[test]
fn the_recipient_decides_how_the_server_misbehaves() {
    run(async {
        let smtp = Smtp::start().await;
        for (recipient, code) in [
            ("temporary-failure@example.com", "451"),
            ("no-such-user+1@example.com", "550"),
            ("mailbox-full@example.com", "552"),
            ("policy@example.com", "554"),
            ("hang-up@example.com", ""),
        ] {
            let answer = send(&smtp, recipient).await;
            assert!(
                answer.starts_with(code) && !answer.starts_with("250"),
                "{recipient}: {answer}"
            );
        }
        assert!(smtp.mails().is_empty());
    });
}

#[test]
fn a_stopped_mail_server_keeps_what_arrived() {
    run(async {
        let mut smtp = Smtp::start().await;
        send(&smtp, "ada@example.com").await;
        smtp.stop();
        smtp.start_again().await;
        send(&smtp, "grace@example.com").await;
        let to: Vec<String> = smtp.mails().into_iter().map(|mail| mail.to).collect();
        assert_eq!(to, ["ada@example.com", "grace@example.com"]);
    });
}
