//! A real Chromium behind chromedriver, driven by `thirtyfour`. It resolves no host but 127.0.0.1, and tells what a
//! page asked for and complained about. Here stands what tests add: every call panics with its reason, elements are
//! waited for, and a click on what leads to another page returns when that page is loaded.

use std::{fmt::Display, fs, path::Path, process::Command, time::Duration};

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};
use thirtyfour::{
    BrowserLogEntry, By, Capabilities, WebDriver, WebElement,
    error::{WebDriverErrorInner, WebDriverResult},
    extensions::query::ElementQueryable,
};

use crate::{
    process::{Folder, Process, Signal},
    run::{eventually, free_port},
};

/// How long an element may take to appear.
const APPEARS_WITHIN: Duration = Duration::from_secs(10);

/// How long a page may take to come.
const ARRIVES_WITHIN: Duration = Duration::from_secs(30);

/// Whether a click leads to another page: on a link to one, or on the button of a form that says how it is sent and can
/// be. Forms that say nothing are a script's.
const LEADS_ELSEWHERE: &str = "
    const link = arguments[0].closest('a[href]'), button = arguments[0].closest('button, input[type=submit]');
    if (link) return !link.target && !link.hasAttribute('download') && !link.getAttribute('href').startsWith('#');
    const form = button && button.type === 'submit' && !button.disabled && button.form;
    return !!form && (form.hasAttribute('method') || form.hasAttribute('action'))
        && (form.noValidate || button.formNoValidate || form.checkValidity());";

/// The folder for downloads, in the browser's own.
const DOWNLOADS: &str = "downloads";

/// What `prefers-color-scheme` answers.
#[derive(Clone, Copy, Debug)]
pub enum ColorScheme {
    /// `light`
    Light,
    /// `dark`
    Dark,
}

/// One browser window with an empty profile. Every call panics with the browser's reason when it is refused.
pub struct Browser {
    driver: WebDriver,
    _chromedriver: Process,
    folder: Folder,
}

/// The session ends with its chromedriver.
impl Drop for Browser {
    fn drop(&mut self) {
        drop(self.driver.clone().leak());
    }
}

impl Browser {
    /// Opens a window of 1280 × 900 CSS pixels, in the light colour scheme.
    pub async fn open() -> Self {
        let (folder, port) = (Folder::new(), free_port());
        let mut chromedriver = Command::new("chromedriver");
        chromedriver.arg(format!("--port={port}")).current_dir(folder.path());
        chromedriver.env("TMPDIR", folder.path()).env("HOME", folder.path());
        let log = folder.path().join("chromedriver.log");
        let mut chromedriver = Process::start("chromedriver", chromedriver, log, Signal::TERM);

        let client = reqwest::Client::builder()
            .no_proxy()
            .timeout(Duration::from_secs(60))
            .build()
            .expect("a client");
        let server = format!("http://127.0.0.1:{port}");
        eventually(Duration::from_secs(20), "chromedriver answers", async || {
            chromedriver.expect_running();
            client.get(format!("{server}/status")).send().await.ok()
        })
        .await;
        let driver = WebDriver::builder(server, capabilities(&folder))
            .client(client)
            .connect();
        let browser = Self {
            driver: ok("a session", driver.await),
            _chromedriver: chromedriver,
            folder,
        };
        browser.size(1280, 900).await;
        browser.color_scheme(ColorScheme::Light).await;
        browser
    }

    /// Where its profile and its log are.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Opens an address and waits until it is loaded.
    pub async fn goto(&self, url: &str) {
        ok(url, self.driver.goto(url).await);
    }

    /// The address in the address bar.
    pub async fn url(&self) -> String {
        ok("the address", self.driver.current_url().await).into()
    }

    /// The page's title.
    pub async fn title(&self) -> String {
        ok("the title", self.driver.title().await)
    }

    /// The page's HTML as it stands now.
    pub async fn html(&self) -> String {
        ok("the source", self.driver.source().await)
    }

    /// What a person reads on the page.
    pub async fn page_text(&self) -> String {
        self.text("body").await
    }

    /// The visible text of the first element that `css` finds; waits for it.
    pub async fn text(&self, css: &str) -> String {
        self.of_element(css, async |element| element.text().await).await
    }

    /// The visible texts of all that `css` finds now.
    pub async fn texts(&self, css: &str) -> Vec<String> {
        let mut texts = vec![];
        for element in self.find_all(css).await {
            texts.push(ok(css, element.text().await));
        }
        texts
    }

    /// How many elements `css` finds now.
    pub async fn count(&self, css: &str) -> usize {
        self.find_all(css).await.len()
    }

    /// An attribute of the first element that `css` finds.
    pub async fn attribute(&self, css: &str, name: &str) -> Option<String> {
        self.of_element(css, async |element| element.attr(name).await).await
    }

    /// Clicks the first element that `css` finds. Where that leads to another page, waits until it is loaded.
    pub async fn click(&self, css: &str) {
        self.click_element(&self.find(css).await).await;
    }

    /// Clicks the first link with exactly this text, and waits for the page it leads to.
    pub async fn follow(&self, link: &str) {
        self.click_element(&self.link(link).await).await;
    }

    /// Clicks a link to a file, and gives what was saved.
    pub async fn download(&self, link: &str) -> String {
        ok(link, self.link(link).await.click().await);
        let folder = self.folder.join(DOWNLOADS);
        eventually(ARRIVES_WITHIN, "the file is saved", async || {
            let file = fs::read_dir(&folder).ok()?.next()?.ok()?.path();
            let is_whole = file.extension().is_none_or(|extension| extension != "crdownload");
            let content = fs::read_to_string(&file).ok().filter(|_| is_whole)?;
            fs::remove_file(&file).ok().map(|()| content)
        })
        .await
    }

    /// Does what leads to another page, and waits until that is loaded.
    pub async fn leave(&self, by: impl AsyncFnOnce()) {
        let page = self.find("html").await;
        by().await;
        let loaded = async || {
            page.tag_name().await.err()?;
            let state = self.driver.execute("return document.readyState", vec![]).await.ok()?;
            (state.json() == "complete").then_some(())
        };
        eventually(ARRIVES_WITHIN, "the next page is loaded", loaded).await;
    }

    /// Empties a field and types into it.
    pub async fn fill(&self, css: &str, value: &str) {
        let field = self.find(css).await;
        ok(css, field.clear().await);
        ok(css, field.send_keys(value).await);
    }

    /// Chooses a file of this machine in a file field.
    pub async fn choose_file(&self, css: &str, file: impl AsRef<Path>) {
        let path = file.as_ref().to_str().expect("a path in UTF-8");
        ok(css, self.find(css).await.send_keys(path).await);
    }

    /// Types into what has the focus; WebDriver's code points for keys are understood, such as
    /// `\u{e007}` for Enter and `\u{e00c}` for Escape.
    pub async fn press(&self, keys: &str) {
        let active = ok("the focus", self.driver.active_element().await);
        ok(keys, active.send_keys(keys).await);
    }

    /// The value of a JavaScript function's body, as in `return document.title`.
    pub async fn script(&self, body: &str) -> Value {
        ok(body, self.driver.execute(body, vec![]).await).json().clone()
    }

    /// Turns JavaScript off or on, from the next page on.
    pub async fn javascript(&self, on: bool) {
        self.devtools("Emulation.setScriptExecutionDisabled", json!({ "value": !on }))
            .await;
    }

    /// Sets the page's size in CSS pixels, down to a phone's.
    pub async fn size(&self, width: u32, height: u32) {
        let metrics = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false});
        self.devtools("Emulation.setDeviceMetricsOverride", metrics).await;
    }

    /// What the page learns from `prefers-color-scheme`.
    pub async fn color_scheme(&self, scheme: ColorScheme) {
        let value = match scheme {
            ColorScheme::Light => "light",
            ColorScheme::Dark => "dark",
        };
        let features = json!({"features": [{"name": "prefers-color-scheme", "value": value}]});
        self.devtools("Emulation.setEmulatedMedia", features).await;
    }

    /// Writes a PNG of the whole page, not only of what fits the window.
    pub async fn screenshot(&self, file: impl AsRef<Path>) {
        let shot = self
            .devtools("Page.captureScreenshot", json!({"captureBeyondViewport": true}))
            .await;
        let png = BASE64_STANDARD.decode(text(shot["data"].clone())).expect("a picture");
        fs::write(&file, png).unwrap_or_else(|error| panic!("{}: {error}", file.as_ref().display()));
    }

    /// The complaints of the pages since the last call: script errors, broken rules of the
    /// Content-Security-Policy, answers of 400 and above.
    pub async fn console_errors(&self) -> Vec<String> {
        let entries = self.log("browser").await.into_iter();
        entries
            .filter(|entry| entry.level == "SEVERE")
            .map(|entry| entry.message)
            .collect()
    }

    /// The addresses outside of 127.0.0.1 that pages asked for since the last call.
    pub async fn foreign_requests(&self) -> Vec<String> {
        let asked = self.log("performance").await.into_iter().filter_map(|entry| {
            let event: Value = serde_json::from_str(&entry.message).ok()?;
            let sent = event["message"]["method"] == "Network.requestWillBeSent";
            sent.then(|| text(event["message"]["params"]["request"]["url"].clone()))
        });
        asked.filter(|url| is_foreign(url)).collect()
    }

    /// Something of the first element that `css` finds. A page that is just being left takes its elements with it;
    /// then the one of the next page is asked.
    async fn of_element<T>(&self, css: &str, what: impl AsyncFn(WebElement) -> WebDriverResult<T>) -> T {
        let end = tokio::time::Instant::now() + APPEARS_WITHIN;
        loop {
            match what(self.find(css).await).await {
                Err(error)
                    if matches!(*error, WebDriverErrorInner::StaleElementReference(_))
                        && tokio::time::Instant::now() < end => {}
                answer => return ok(css, answer),
            }
        }
    }

    /// WebDriver waits for a page only if it has begun to load when the click returns, which a busy browser may not
    /// have done.
    async fn click_element(&self, element: &WebElement) {
        let clicked = async || ok("a click", element.click().await);
        let argument = ok("an element", element.to_json());
        if ok("a link", self.driver.execute(LEADS_ELSEWHERE, vec![argument]).await).json() == true {
            self.leave(clicked).await;
        } else {
            clicked().await;
        }
    }

    async fn find(&self, css: &str) -> WebElement {
        let query = self
            .driver
            .query(By::Css(css))
            .wait(APPEARS_WITHIN, Duration::from_millis(50));
        match query.first().await {
            Ok(element) => element,
            Err(error) => panic!(
                "no `{css}` on {}: {error}; the page:\n{}",
                self.url().await,
                self.html().await
            ),
        }
    }

    async fn find_all(&self, css: &str) -> Vec<WebElement> {
        ok(css, self.driver.find_all(By::Css(css)).await)
    }

    async fn link(&self, text: &str) -> WebElement {
        ok(text, self.driver.find(By::LinkText(text)).await)
    }

    async fn log(&self, kind: &str) -> Vec<BrowserLogEntry> {
        ok(kind, self.driver.get_log(kind).await)
    }

    async fn devtools(&self, command: &str, params: Value) -> Value {
        ok(command, self.driver.cdp().send_raw(command, params).await)
    }
}

#[track_caller]
fn ok<T>(asked: &str, answer: Result<T, impl Display>) -> T {
    answer.unwrap_or_else(|error| panic!("the browser refuses {asked}: {error}"))
}

fn capabilities(folder: &Folder) -> Capabilities {
    let wanted = json!({
        "browserName": "chrome",
        "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
        "goog:chromeOptions": {"prefs": {"download.default_directory": folder.join(DOWNLOADS)}, "args": [
            "--headless=new",
            "--no-sandbox", // root has no other choice, and only pages of our own are opened
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--hide-scrollbars",
            "--remote-debugging-pipe", // so that it ends with chromedriver
            "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
            format!("--user-data-dir={}", folder.join("profile")),
        ]},
    });
    serde_json::from_value(wanted).expect("capabilities")
}

fn is_foreign(url: &str) -> bool {
    let network = ["http://", "https://", "ws://", "wss://"]
        .into_iter()
        .find_map(|scheme| url.strip_prefix(scheme));
    network.is_some_and(|rest| rest.split(['/', ':', '?', '#']).next() != Some("127.0.0.1"))
}

fn text(value: Value) -> String {
    match value {
        Value::String(text) => text,
        other => panic!("a text is expected, not {other}"),
    }
}
