//! Who uses the application: people who sign up and try again until they are told that it worked, clients who read, and
//! staff.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use anyhow::{Result, bail};
use futures::future::try_join_all;
use reqwest::{Client, Method, RequestBuilder};
use tokio::time::{MissedTickBehavior, interval, sleep};
use tokio_util::sync::CancellationToken;

use super::system::AppContext;
use crate::{
    admin::Browser,
    programs::{EMAIL, PASSWORD},
};

/// Tasks that sign people up; each waits for its answers.
const PEOPLE: u32 = 10;
/// What they read, again and again; `{id}` is a user.
const READ: [&str; 5] = [
    "/users/{id}",
    "/users",
    "/users?q=ada",
    "/users?sort=name&status=active",
    "/users/{id}",
];
const LOOKED_AT: [&str; 5] = [
    "/admin/",
    "/admin/users",
    "/admin/users?q=martin",
    "/admin/jobs",
    "/admin/jobs/overview",
];
/// A request without an answer is tried again after this,
const AGAIN: Duration = Duration::from_millis(250);
/// for so many times.
const TRIES: usize = 400;

#[derive(Clone)]
pub struct Crowd {
    client: Client,
    apis: [String; 2],
    admin: String,
    key: String,
    rate: u32,
    next: Arc<AtomicUsize>,
}

/// What came of it.
#[derive(Default)]
pub struct Tally {
    /// The addresses of those who were told that they are in.
    pub signed_up: Vec<String>,
    /// Answers by their status.
    pub answers: BTreeMap<u16, usize>,
    pub unanswered: usize,
    /// Answers that no fault excuses.
    pub odd: Vec<String>,
}

impl Crowd {
    pub fn new(context: &AppContext, rate: u32) -> Self {
        let client = Client::builder().timeout(Duration::from_secs(40)).no_proxy().build();
        Self {
            client: client.unwrap_or_default(),
            apis: context.apis.clone(),
            admin: context.admin.clone(),
            key: context.key.clone(),
            rate,
            next: Arc::default(),
        }
    }

    /// Goes on until it is over.
    pub async fn go(self, over: CancellationToken) -> Result<Tally> {
        let staff = tokio::spawn(self.clone().look(over.clone()));
        let people = (0..PEOPLE).map(|_| tokio::spawn(self.clone().sign_up(over.clone())));
        let readers = (0..PEOPLE).map(|_| tokio::spawn(self.clone().read(over.clone())));
        let mut all = Tally::default();
        for tally in try_join_all(people.chain(readers).chain([staff])).await? {
            let tally = tally?;
            all.signed_up.extend(tally.signed_up);
            all.unanswered += tally.unanswered;
            all.odd.extend(tally.odd);
            for (status, count) in tally.answers {
                *all.answers.entry(status).or_default() += count;
            }
        }
        Ok(all)
    }

    async fn sign_up(self, over: CancellationToken) -> Result<Tally> {
        let mut tally = Tally::default();
        let mut clock = interval(Duration::from_secs(PEOPLE.into()) / self.rate);
        clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while !over.is_cancelled() {
            clock.tick().await;
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            let address = format!("soak-{number}@example.com");
            let body = serde_json::json!({"name": format!("Ada the {number}"), "email": address});
            // The same key each time: whichever try was carried out, the others are told what it was told.
            let request = |api: &str| {
                let request = self.request(Method::POST, api, "/users");
                request
                    .header("Idempotency-Key", format!("\"soak-{number}\""))
                    .json(&body)
            };
            if self.until_answered(&mut tally, request).await? == 201 {
                tally.signed_up.push(address);
            }
        }
        Ok(tally)
    }

    async fn read(self, over: CancellationToken) -> Result<Tally> {
        let mut tally = Tally::default();
        let mut clock = interval(Duration::from_secs(PEOPLE.into()) / (5 * self.rate));
        clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
        for path in READ.iter().cycle() {
            if over.is_cancelled() {
                break;
            }
            clock.tick().await;
            let id = 1 + self.next.fetch_add(0, Ordering::Relaxed) % 1_000;
            let path = path.replace("{id}", &id.to_string());
            self.until_answered(&mut tally, |api| self.request(Method::GET, api, &path))
                .await?;
        }
        Ok(tally)
    }

    async fn look(self, over: CancellationToken) -> Result<Tally> {
        let (mut tally, mut browser) = (Tally::default(), Browser::new(&self.admin));
        browser.sign_in(EMAIL, PASSWORD).await?;
        for path in LOOKED_AT.iter().cycle() {
            if over.is_cancelled() {
                break;
            }
            sleep(Duration::from_millis(500)).await;
            match browser.get(path).await {
                Ok((status, page)) => tally.note(status, status == 503, || format!("{path}: {page}")),
                Err(_) => tally.unanswered += 1,
            }
        }
        Ok(tally)
    }

    fn request(&self, method: Method, api: &str, path: &str) -> RequestBuilder {
        self.client
            .request(method, format!("http://{api}{path}"))
            .bearer_auth(&self.key)
    }

    /// Asks one API and then the other until one does not say that it cannot now; gives its status.
    async fn until_answered(&self, tally: &mut Tally, request: impl Fn(&str) -> RequestBuilder) -> Result<u16> {
        for number in 0..TRIES {
            match request(&self.apis[number % 2]).send().await {
                Ok(answer) => {
                    let (status, path) = (answer.status().as_u16(), answer.url().path().to_owned());
                    // An earlier try with the same key may still be under way where nobody waits for it.
                    let again = status == 503 || (status == 409 && answer.headers().contains_key("retry-after"));
                    let body = answer.text().await.unwrap_or_default();
                    tally.note(status, again, || format!("{path}: {body}"));
                    if !again {
                        return Ok(status);
                    }
                }
                Err(_) => tally.unanswered += 1,
            }
            sleep(AGAIN).await;
        }
        bail!("no answer in {TRIES} tries")
    }
}

impl Tally {
    fn note(&mut self, status: u16, again: bool, what: impl Fn() -> String) {
        *self.answers.entry(status).or_default() += 1;
        if status >= 400 && !again {
            self.odd.push(format!("{status} {}", what()));
        }
    }
}
