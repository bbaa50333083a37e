//! A member of staff at the admin: log-ins, a second factor, a key, and acting for somebody.

use std::collections::BTreeMap;

use reqwest::{Client, Method, RequestBuilder, redirect::Policy};

use super::{Keeper, code};
use crate::services::{EMAIL, PASSWORD};

/// A browser's cookies, and the page it shows.
struct Browser {
    client: Client,
    admin: String,
    cookies: BTreeMap<String, String>,
    html: String,
}

/// Everything that staff do with secrets.
pub async fn work(keeper: &mut Keeper<'_>) {
    keeper.keep("password of staff", PASSWORD);
    let wrong = keeper.keep("wrong password of staff", "wrong-Jackdaw-58-garret");
    let mut browser = Browser::of(keeper);
    browser.sign_in(keeper, &wrong, 401).await;
    browser.sign_in(keeper, PASSWORD, 303).await;
    let codes = enrol(keeper, &mut browser).await;

    let mut browser = Browser::of(keeper);
    browser.sign_in(keeper, PASSWORD, 303).await;
    browser.get(keeper, "/admin/mfa", 200).await;
    let guess = keeper.keep("wrong recovery code", "zzzz-zzzz-zzzz");
    browser.post(keeper, "/admin/mfa", &[("code", &guess)], 401).await;
    browser.post(keeper, "/admin/mfa", &[("code", &codes[0])], 303).await;
    browser.get(keeper, "/admin/account", 200).await;

    let key = [
        ("name", "made by staff"),
        ("allowed_cidrs", ""),
        ("requests_per_minute", ""),
        ("expires_at", ""),
    ];
    browser
        .post(
            keeper,
            "/admin/api_keys/new",
            &[&key[..], &[("scope", "users:read")]].concat(),
            303,
        )
        .await;
    browser
        .shown_once(keeper, "API key of the admin", "/admin/api_keys")
        .await;

    let user = keeper.user_of(super::NEW_ADDRESS).await;
    let act = [
        ("action", "impersonate"),
        ("id", &user),
        ("from_object", &user),
        ("_confirmed", "yes"),
        ("reason", "Ticket 7"),
    ];
    browser.post(keeper, "/admin/users/actions", &act, 303).await;
    browser
        .shown_once(keeper, "token of acting for somebody", "/admin/")
        .await;
}

/// Sets a second factor up; the codes on paper.
async fn enrol(keeper: &mut Keeper<'_>, browser: &mut Browser) -> Vec<String> {
    browser.get(keeper, "/admin/mfa/enrol", 200).await;
    let secret = keeper.keep_totp(
        "TOTP secret of staff",
        browser.between("<dt>Secret</dt><dd><code>", "</code>"),
    );
    let code = code(&secret);
    browser.post(keeper, "/admin/mfa/enrol", &[("code", &code)], 200).await;
    let codes: Vec<String> = browser
        .html
        .split("<li><code>")
        .skip(1)
        .filter_map(|rest| Some(rest.split_once('<')?.0.to_owned()))
        .collect();
    assert_eq!(codes.len(), 10, "{}", browser.html);
    for (number, code) in codes.iter().enumerate() {
        keeper.keep(&format!("recovery code {number} of staff"), code);
    }
    codes
}

impl Browser {
    fn of(keeper: &Keeper<'_>) -> Self {
        Self {
            client: Client::builder().redirect(Policy::none()).build().expect("a client"),
            admin: format!("http://{}", keeper.production.admin),
            cookies: BTreeMap::new(),
            html: String::new(),
        }
    }

    async fn sign_in(&mut self, keeper: &mut Keeper<'_>, password: &str, status: u16) {
        self.get(keeper, "/admin/login", 200).await;
        self.post(
            keeper,
            "/admin/login",
            &[("email", EMAIL), ("password", password)],
            status,
        )
        .await;
    }

    async fn get(&mut self, keeper: &mut Keeper<'_>, path: &str, status: u16) -> String {
        let request = self.client.request(Method::GET, format!("{}{path}", self.admin));
        self.send(keeper, request, path, status).await
    }

    /// Posts a form with the token of the last page.
    async fn post(&mut self, keeper: &mut Keeper<'_>, path: &str, fields: &[(&str, &str)], status: u16) -> String {
        let token = keeper.keep(
            &format!("form token {}", keeper.kept.len()),
            self.between("name=\"csrf_token\" value=\"", "\""),
        );
        let mut body = url::form_urlencoded::Serializer::new(String::new());
        let body = body.append_pair("csrf_token", &token).extend_pairs(fields).finish();
        let request = self
            .client
            .request(Method::POST, format!("{}{path}", self.admin))
            .body(body);
        let request = request.header("Content-Type", "application/x-www-form-urlencoded");
        self.send(keeper, request, path, status).await
    }

    /// Sends it with all cookies, and keeps those of the answer; where it leads.
    async fn send(&mut self, keeper: &mut Keeper<'_>, request: RequestBuilder, path: &str, status: u16) -> String {
        let cookies: Vec<_> = self
            .cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let answer = request
            .header("Cookie", cookies.join("; "))
            .send()
            .await
            .expect("the admin answers");
        let got = answer.status().as_u16();
        for cookie in answer.headers().get_all("set-cookie") {
            let cookie = cookie.to_str().expect("text").split(';').next().expect("a pair");
            let (name, value) = cookie.split_once('=').expect("a value");
            if value.len() >= 20 {
                keeper.keep(&format!("cookie {name} {}", keeper.kept.len()), value);
            }
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
        let place = answer
            .headers()
            .get("location")
            .and_then(|place| place.to_str().ok())
            .unwrap_or_default()
            .to_owned();
        let html = answer.text().await.expect("HTML");
        assert_eq!(got, status, "{path}: {html}");
        if !html.is_empty() {
            self.html = html;
        }
        place
    }

    /// A secret that the next page shows this one time.
    async fn shown_once(&mut self, keeper: &mut Keeper<'_>, what: &str, path: &str) {
        self.get(keeper, path, 200).await;
        let secret = self.between("be shown again: ", "</p>").to_owned();
        keeper.keep(what, &secret);
    }

    fn between(&self, start: &str, end: &str) -> &str {
        let rest = self.html.split_once(start).map(|(_, rest)| rest);
        rest.and_then(|rest| Some(rest.split_once(end)?.0))
            .unwrap_or_else(|| panic!("no {start} in {}", self.html))
    }
}
