//! A real Chromium behind chromedriver, spoken to in W3C WebDriver over HTTP. It resolves no host
//! but 127.0.0.1, and tells what a page asked for and complained about.
//!
//! The `thirtyfour` crate would do the talking, but it turns on `preserve_order` of serde_json for everything that is
//! built with it: tests would see members in another order than clients do.

use std::{fs, path::Path, process::Command, time::Duration};

use base64::{Engine, prelude::BASE64_STANDARD};
use reqwest::Method;
use serde_json::{Value, json};

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

/// The key under which WebDriver gives an element's reference (W3C WebDriver, section 12.1).
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// What `prefers-color-scheme` answers.
#[derive(Clone, Copy, Debug)]
pub enum ColorScheme {
    /// `light`
    Light,
    /// `dark`
    Dark,
}

/// One browser window with an empty profile. Every call panics with the page's address when the
/// browser refuses it.
pub struct Browser {
    client: reqwest::Client,
    session: String,
    _chromedriver: Process,
    folder: Folder,
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

        let wanted = json!({"capabilities": {"alwaysMatch": capabilities(&folder)}});
        let answer = client
            .post(format!("{server}/session"))
            .json(&wanted)
            .send()
            .await
            .expect("chromedriver answers");
        let answer: Value = answer.json().await.expect("JSON");
        let id = answer["value"]["sessionId"]
            .as_str()
            .unwrap_or_else(|| panic!("no browser: {answer}"));
        let session = format!("{server}/session/{id}");

        let browser = Self {
            client,
            session,
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

    /// Gives the site at `url` a cookie.
    pub async fn set_cookie(&self, url: &str, name: &str, value: &str) {
        let cookie = json!({"url": url, "name": name, "value": value});
        self.devtools("Network.setCookie", cookie).await;
    }

    /// Opens an address and waits until it is loaded.
    pub async fn goto(&self, url: &str) {
        self.post("url", json!({ "url": url })).await;
    }

    /// The address in the address bar.
    pub async fn url(&self) -> String {
        text(self.get("url").await)
    }

    /// The page's title.
    pub async fn title(&self) -> String {
        text(self.get("title").await)
    }

    /// The page's HTML as it stands now.
    pub async fn html(&self) -> String {
        text(self.get("source").await)
    }

    /// What a person reads on the page.
    pub async fn page_text(&self) -> String {
        self.text("body").await
    }

    /// The visible text of the first element that `css` finds; waits for it.
    pub async fn text(&self, css: &str) -> String {
        self.of_element(css, "text")
            .await
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }

    /// The visible texts of all that `css` finds now.
    pub async fn texts(&self, css: &str) -> Vec<String> {
        let mut texts = vec![];
        for element in self.find_all(css).await {
            texts.push(text(self.get(&format!("element/{element}/text")).await));
        }
        texts
    }

    /// How many elements `css` finds now.
    pub async fn count(&self, css: &str) -> usize {
        self.find_all(css).await.len()
    }

    /// An attribute of the first element that `css` finds.
    pub async fn attribute(&self, css: &str, name: &str) -> Option<String> {
        let value = self.of_element(css, &format!("attribute/{name}")).await;
        value.as_str().map(str::to_owned)
    }

    /// Clicks the first element that `css` finds. Where that leads to another page, waits until it is loaded.
    pub async fn click(&self, css: &str) {
        let element = self.find(css).await;
        self.click_element(&element).await;
    }

    /// Clicks the first link with exactly this text, and waits for the page it leads to.
    pub async fn follow(&self, link: &str) {
        let found = self.post("element", json!({"using": "link text", "value": link})).await;
        self.click_element(&text(found[ELEMENT].clone())).await;
    }

    /// Clicks a link to a file, and gives what was saved.
    pub async fn download(&self, link: &str) -> String {
        let found = self.post("element", json!({"using": "link text", "value": link})).await;
        let element = text(found[ELEMENT].clone());
        self.post(&format!("element/{element}/click"), json!({})).await;
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
            let left = self.try_ask(Method::GET, &format!("element/{page}/name"), None).await;
            left.err()?;
            let body = json!({"script": "return document.readyState", "args": []});
            let state = self.try_ask(Method::POST, "execute/sync", Some(body)).await;
            (state.ok()? == "complete").then_some(())
        };
        eventually(ARRIVES_WITHIN, "the next page is loaded", loaded).await;
    }

    /// Empties a field and types into it.
    pub async fn fill(&self, css: &str, value: &str) {
        let element = self.find(css).await;
        self.post(&format!("element/{element}/clear"), json!({})).await;
        self.post(&format!("element/{element}/value"), json!({ "text": value }))
            .await;
    }

    /// Chooses a file of this machine in a file field.
    pub async fn choose_file(&self, css: &str, file: impl AsRef<Path>) {
        let element = self.find(css).await;
        let path = file.as_ref().to_str().expect("a path in UTF-8");
        self.post(&format!("element/{element}/value"), json!({ "text": path }))
            .await;
    }

    /// Types into what has the focus; WebDriver's code points for keys are understood, such as
    /// `\u{e007}` for Enter and `\u{e00c}` for Escape.
    pub async fn press(&self, keys: &str) {
        let active = text(self.get("element/active").await[ELEMENT].clone());
        self.post(&format!("element/{active}/value"), json!({ "text": keys }))
            .await;
    }

    /// The value of a JavaScript function's body, as in `return document.title`.
    pub async fn script(&self, body: &str) -> Value {
        self.post("execute/sync", json!({"script": body, "args": []})).await
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
        let entries = self.log("browser").await;
        entries
            .iter()
            .filter(|entry| entry["level"] == "SEVERE")
            .map(|entry| text(entry["message"].clone()))
            .collect()
    }

    /// The addresses outside of 127.0.0.1 that pages asked for since the last call.
    pub async fn foreign_requests(&self) -> Vec<String> {
        let asked = self.log("performance").await.into_iter().filter_map(|entry| {
            let event: Value = serde_json::from_str(entry["message"].as_str()?).ok()?;
            let sent = event["message"]["method"] == "Network.requestWillBeSent";
            sent.then(|| text(event["message"]["params"]["request"]["url"].clone()))
        });
        asked.filter(|url| is_foreign(url)).collect()
    }

    /// Something of the first element that `css` finds. A page that is just being left takes its elements with it;
    /// then the one of the next page is asked.
    async fn of_element(&self, css: &str, what: &str) -> Value {
        let end = tokio::time::Instant::now() + APPEARS_WITHIN;
        loop {
            let element = self.find(css).await;
            match self
                .try_ask(Method::GET, &format!("element/{element}/{what}"), None)
                .await
            {
                Ok(value) => return value,
                Err(message) if message.contains("stale element") && tokio::time::Instant::now() < end => {}
                Err(message) => panic!("the browser refuses {what} of `{css}`: {message}"),
            }
        }
    }

    /// WebDriver waits for a page only if it has begun to load when the click returns, which a busy browser may not
    /// have done.
    async fn click_element(&self, element: &str) {
        let clicked = async || {
            self.post(&format!("element/{element}/click"), json!({})).await;
        };
        let body = json!({"script": LEADS_ELSEWHERE, "args": [{ ELEMENT: element }]});
        if self.post("execute/sync", body).await == true {
            self.leave(async || clicked().await).await;
        } else {
            clicked().await;
        }
    }

    async fn find(&self, css: &str) -> String {
        let end = tokio::time::Instant::now() + APPEARS_WITHIN;
        loop {
            if let Some(first) = self.find_all(css).await.into_iter().next() {
                return first;
            }
            if tokio::time::Instant::now() > end {
                panic!("no `{css}` on {}; the page:\n{}", self.url().await, self.html().await);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn find_all(&self, css: &str) -> Vec<String> {
        let found = self
            .post("elements", json!({"using": "css selector", "value": css}))
            .await;
        found
            .as_array()
            .into_iter()
            .flatten()
            .map(|element| text(element[ELEMENT].clone()))
            .collect()
    }

    async fn log(&self, kind: &str) -> Vec<Value> {
        match self.post("se/log", json!({ "type": kind })).await {
            Value::Array(entries) => entries,
            other => panic!("the {kind} log is no list: {other}"),
        }
    }

    async fn devtools(&self, command: &str, params: Value) -> Value {
        self.post("goog/cdp/execute", json!({"cmd": command, "params": params}))
            .await
    }

    async fn get(&self, path: &str) -> Value {
        self.ask(Method::GET, path, None).await
    }

    async fn post(&self, path: &str, body: Value) -> Value {
        self.ask(Method::POST, path, Some(body)).await
    }

    async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> Value {
        let asked = self.try_ask(method, path, body.clone()).await;
        asked.unwrap_or_else(|message| panic!("the browser refuses {path} with {body:?}: {message}"))
    }

    async fn try_ask(&self, method: Method, path: &str, body: Option<Value>) -> Result<Value, String> {
        let mut request = self.client.request(method, format!("{}/{path}", self.session));
        if let Some(body) = &body {
            request = request.json(body);
        }
        let answer = request
            .send()
            .await
            .unwrap_or_else(|error| panic!("the browser does not answer {path}: {error}"));
        let refused = !answer.status().is_success();
        let mut answer: Value = answer.json().await.expect("WebDriver answers JSON");
        if refused {
            return Err(answer["value"]["message"].to_string());
        }
        Ok(answer["value"].take())
    }
}

fn capabilities(folder: &Folder) -> Value {
    json!({
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
    })
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
