use std::path::Path;

use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::TcpListener,
};
use usher_testkit::{Browser, ColorScheme, Folder, run};

const PAGE: &str = r#"<!doctype html><title>Door</title>
<style>p { color: rgb(1, 1, 1) } @media (prefers-color-scheme: dark) { p { color: rgb(2, 2, 2) } }</style>
<form action="/sent"><input name="word" value="old"><button>Send</button></form>
<p id="script">off</p><a href="/sent">Onward</a>
<script>document.getElementById("script").textContent = "on"</script>"#;

const FOREIGN: &str = r#"<!doctype html><title>Foreign</title>
<img src="http://elsewhere.example/pixel.png"><img src="/missing.png">"#;

/// A web server of three pages; gives its address.
async fn serve() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut stream = BufReader::new(stream);
                let mut request = String::new();
                stream.read_line(&mut request).await.unwrap();
                let (status, body) = match request.split(' ').nth(1).unwrap_or_default() {
                    "/" => ("200 OK", PAGE.to_owned()),
                    "/foreign" => ("200 OK", FOREIGN.to_owned()),
                    sent if sent.starts_with("/sent") => ("200 OK", format!("<title>Sent</title><h1>{sent}</h1>")),
                    _ => ("404 Not Found", String::new()),
                };
                let head = format!(
                    "HTTP/1.1 {status}\r\nContent-Type: text/html\r\nContent-Length: {}",
                    body.len()
                );
                let answer = format!("{head}\r\nConnection: close\r\n\r\n{body}");
                stream.write_all(answer.as_bytes()).await.unwrap();
            });
        }
    });
    address
}

#[test]
fn a_person_reads_fills_clicks_and_arrives() {
    run(async {
        let (site, browser) = (serve().await, Browser::open().await);
        browser.goto(&site).await;
        assert_eq!(browser.title().await, "Door");
        browser.fill("input[name=word]", "new").await;
        browser.click("button").await;
        assert_eq!(browser.text("h1").await, "/sent?word=new");
        assert_eq!(browser.url().await, format!("{site}/sent?word=new"));

        browser.goto(&site).await;
        browser.follow("Onward").await;
        assert_eq!(browser.title().await, "Sent");
    });
}

#[test]
fn the_page_sees_the_colour_scheme_the_width_and_whether_scripts_run() {
    run(async {
        let (site, browser) = (serve().await, Browser::open().await);
        let colour = "return getComputedStyle(document.querySelector('p')).color";
        browser.goto(&site).await;
        assert_eq!(browser.script(colour).await, "rgb(1, 1, 1)");
        browser.color_scheme(ColorScheme::Dark).await;
        assert_eq!(browser.script(colour).await, "rgb(2, 2, 2)");

        browser.size(360, 740).await;
        assert_eq!(browser.script("return innerWidth").await, 360);

        assert_eq!(browser.text("#script").await, "on");
        browser.javascript(false).await;
        browser.goto(&site).await;
        assert_eq!(browser.text("#script").await, "off");
        browser.fill("input[name=word]", "typed").await;
        browser.click("button").await;
        assert_eq!(browser.text("h1").await, "/sent?word=typed");
    });
}

#[test]
fn foreign_requests_and_complaints_are_told() {
    run(async {
        let (site, browser) = (serve().await, Browser::open().await);
        browser.goto(&site).await;
        assert_eq!(browser.foreign_requests().await, Vec::<String>::new());

        browser.goto(&format!("{site}/foreign")).await;
        assert_eq!(browser.foreign_requests().await, ["http://elsewhere.example/pixel.png"]);
        let errors = browser.console_errors().await;
        assert!(errors.iter().any(|error| error.contains("missing.png")), "{errors:?}");
        assert!(browser.console_errors().await.is_empty(), "told once");
    });
}

#[test]
fn a_screenshot_is_a_picture_of_the_whole_page() {
    run(async {
        let (site, browser, folder) = (serve().await, Browser::open().await, Folder::new());
        browser.goto(&site).await;
        let file = folder.join("page.png");
        browser.screenshot(&file).await;
        assert!(std::fs::read(Path::new(&file)).unwrap().starts_with(b"\x89PNG"));
    });
}
