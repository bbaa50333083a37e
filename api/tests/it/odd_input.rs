//! Thousands of odd requests, made from a seed: none may end in a 5xx, and every error is a problem.

use axum::{
    body::Body,
    extract::ConnectInfo,
    http::{HeaderValue, Method, Request, Uri},
};
use usher_testkit::{TestDb, on_both};

use crate::{app::TestApp, people::PASSWORD};

/// A small generator with a fixed seed (SplitMix64), so that a failure can be run again.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn pick<'a, T: ?Sized>(&mut self, of: &[&'a T]) -> &'a T {
        of[(self.roll() % of.len() as u64) as usize]
    }

    fn bytes(&mut self, most: u64) -> Vec<u8> {
        (0..self.roll() % most).map(|_| self.roll().to_le_bytes()[0]).collect()
    }

    /// JSON, or nearly.
    fn json(&mut self, depth: usize) -> String {
        let odd = [
            "null",
            "true",
            "-0",
            "0.0",
            "1e400",
            "-1e-400",
            "9223372036854775808",
            "1E2",
            "\"\"",
            "\"\\u0000\"",
            "\"\\ud83d\"",
            "\"\\ud83d\\ude00\"",
            "\"a@b.org\"",
            "\"ada@example.com\"",
            "\"\u{202e}\"",
            "\"é@é.é\"",
            "\"@@\"",
            "\"x@xn--a.com\"",
            "NaN",
            "Infinity",
            "01",
            "\"\\x\"",
            "\"\t\"",
            "{",
            "]",
            "",
            ",",
            "\u{feff}",
            "\"%00\"",
            "\"'; DROP TABLE users; --\"",
        ];
        match self.roll() % 6 {
            0 if depth > 0 => format!("[{},{}]", self.json(depth - 1), self.json(depth - 1)),
            1 if depth > 0 => self.object(depth - 1),
            _ => self.pick(&odd).to_owned(),
        }
    }

    fn object(&mut self, depth: usize) -> String {
        let keys = [
            "\"name\"",
            "\"email\"",
            "\"age\"",
            "\"id\"",
            "\"\"",
            "\"name\\u0000\"",
            "name",
        ];
        let fields: Vec<String> = (0..self.roll() % 5)
            .map(|_| format!("{}:{}", self.pick(&keys), self.json(depth)))
            .collect();
        format!("{{{}}}", fields.join(","))
    }

    /// A sign-up of one of twenty people, often with one odd value.
    fn nearly_valid(&mut self) -> String {
        let mut fields = [
            "\"Ada\"".to_owned(),
            format!("\"ada{}@example.com\"", self.roll() % 20),
            "36".to_owned(),
        ];
        let which = (self.roll() % 6) as usize;
        if which < fields.len() {
            fields[which] = self.json(1);
        }
        let [name, email, age] = fields;
        format!(r#"{{"name": {name}, "email": {email}, "age": {age}}}"#)
    }

    fn body(&mut self) -> Vec<u8> {
        match self.roll() % 6 {
            0 => self.bytes(64),
            4 | 5 => self.nearly_valid().into_bytes(),
            1 => self.json(4).into_bytes(),
            2 => {
                let mut text = self.object(3).into_bytes();
                if let Some(at) = (self.roll() as usize).checked_rem(text.len()) {
                    text[at] = self.roll().to_le_bytes()[0];
                }
                text
            }
            _ => self.object(3).into_bytes(),
        }
    }

    fn path(&mut self) -> String {
        let parts = [
            "users",
            "users/",
            "1",
            "-1",
            "%00",
            "%ff",
            "%2e%2e",
            "..",
            "abc",
            "9e9",
            "health",
            "live",
            "ready",
            "docs",
            "redoc",
            "problems",
            "not_found",
            "assets",
            "pages.css",
            "set-password",
            "openapi.json",
            "asyncapi.json",
            "version",
            "*",
            "{id}",
            "%7Bid%7D",
            "%F0%9F%98%80",
            "favicon.ico",
        ];
        let queries = [
            "",
            "?",
            "?v=%ff",
            "?token=umt_x&token=",
            "?token=%00",
            "?=&&&=",
            "?a[]=1",
            "?%",
            "?token=umt_%C3%A9",
        ];
        let path: String = (0..1 + self.roll() % 3)
            .map(|_| format!("/{}", self.pick(&parts)))
            .collect();
        path + self.pick(&queries)
    }

    fn header(&mut self) -> (&'static str, Vec<u8>) {
        let names = [
            "accept",
            "accept-encoding",
            "authorization",
            "content-type",
            "if-none-match",
            "x-request-id",
            "x-forwarded-for",
            "origin",
            "range",
            "content-encoding",
            "expect",
            "cookie",
            "te",
            "host",
            "content-length",
            "access-control-request-method",
        ];
        let values = [
            "*",
            "application/json",
            "application/problem+json;q=",
            "text/html",
            "gzip;q=x, br",
            "Bearer uak_",
            "bearer  ",
            "W/\"1\"",
            "\"",
            ",,,",
            "10.0.0.1, ::1, x",
            "bytes=0-",
            "100-continue",
            "null",
            "é",
            "application/json; charset=utf-16",
            "multipart/form-data; boundary=",
        ];
        let value = if self.roll().is_multiple_of(4) {
            self.bytes(40)
        } else {
            self.pick(&values).as_bytes().to_vec()
        };
        (self.pick(&names), value)
    }

    fn request(&mut self, key: &str) -> Option<Request<Body>> {
        let methods = [
            "GET", "POST", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "BREW",
        ];
        // Half of them go where most is read.
        let to_users = self.roll().is_multiple_of(2);
        let uri: Uri = if to_users { "/users".to_owned() } else { self.path() }.parse().ok()?;
        let method = if to_users { "POST" } else { self.pick(&methods) };
        let mut request = Request::new(Body::from(self.body()));
        *request.uri_mut() = uri;
        *request.method_mut() = Method::from_bytes(method.as_bytes()).ok()?;
        let headers = request.headers_mut();
        if !self.roll().is_multiple_of(5) {
            headers.insert("content-type", HeaderValue::from_static("application/json"));
            headers.insert("authorization", HeaderValue::from_str(&format!("Bearer {key}")).ok()?);
        }
        for _ in 0..self.roll() % 3 {
            let (name, value) = self.header();
            headers.append(name, HeaderValue::from_bytes(&value).ok()?);
        }
        request
            .extensions_mut()
            .insert(ConnectInfo("127.0.0.1:1".parse::<std::net::SocketAddr>().ok()?));
        Some(request)
    }
}

/// What stands in an address.
const PARAMETERS: [&str; 6] = [
    "1",
    "2",
    "0198b5a0-6f3a-7c52-9d8e-5b1f0e4c2a77",
    "%00",
    "x",
    "9223372036854775808",
];

/// Every documented operation, with the fields of its body.
pub fn operations() -> Vec<(Method, String, Vec<String>)> {
    let document = serde_json::to_value(usher_api::openapi()).expect("JSON");
    let mut operations = Vec::new();
    for (path, item) in document["paths"].as_object().expect("paths") {
        for (method, operation) in item.as_object().expect("operations") {
            let content = operation["requestBody"]["content"].as_object();
            let schema = content
                .and_then(|content| content.values().next())
                .map(|media| media["schema"].to_string());
            let name = schema
                .as_deref()
                .and_then(|text| text.split("#/components/schemas/").nth(1)?.split('"').next());
            let properties = name.and_then(|name| document["components"]["schemas"][name]["properties"].as_object());
            let fields = properties.map(|all| all.keys().cloned().collect()).unwrap_or_default();
            operations.push((method.to_uppercase().parse().expect("a method"), path.clone(), fields));
        }
    }
    operations
}

impl Dice {
    /// An object with these fields, most of them texts that mean something, some odd, some left out.
    fn body_of(&mut self, fields: &[String], texts: &[&str]) -> String {
        let mut parts = Vec::new();
        for field in fields {
            match self.roll() % 5 {
                0 => parts.push(format!("\"{field}\":{}", self.json(1))),
                1 => {}
                2 => parts.push(format!("\"{field}\":\"current\"")),
                _ => parts.push(format!("\"{field}\":\"{}\"", self.pick(texts))),
            }
        }
        format!("{{{}}}", parts.join(","))
    }
}

#[on_both]
async fn no_input_is_the_servers_fault(db: TestDb) {
    let settings = [
        ("RATE_LIMITS", "off"),
        ("SIGN_UP", "open"),
        ("TRUSTED_PROXIES", "127.0.0.0/8"),
        ("CORS_ORIGINS", "https://a.example"),
    ];
    let app = TestApp::with(db, &settings).await;
    let scopes = usher_shared::accounts::api_keys::Scope::BUILT_IN;
    let (_, token) = usher_shared::accounts::api_keys::create(&app.context.db, "t", &scopes, None, None)
        .await
        .unwrap();
    let (client, mut dice, mut sent, mut kinds) =
        (app.anonymous(), Dice(20_261_122), 0, std::collections::BTreeMap::new());
    while sent < 6_000 {
        let Some(request) = dice.request(token.as_str()) else {
            continue;
        };
        sent += 1;
        let told = format!("{} {} {:?}", request.method(), request.uri(), request.headers());
        let head = request.method() == Method::HEAD;
        let answer = client.send(request).await;
        *kinds.entry(answer.status.as_u16()).or_insert(0) += 1;
        assert!(answer.status.as_u16() < 500, "{sent}: {told}: {}", answer.text());
        if answer.status.as_u16() >= 400 && !head && answer.header("content-type") != "text/html; charset=utf-8" {
            let problem = answer.json();
            assert_eq!(problem["status"], answer.status.as_u16(), "{sent}: {told}");
            assert!(
                problem["code"].is_string() && !problem["detail"].is_null(),
                "{sent}: {told}"
            );
        }
        assert!(!answer.text().contains("panicked"), "{sent}: {told}");
    }
    for status in [200, 201, 400, 401, 404, 405, 409, 422] {
        assert!(kinds.contains_key(&status), "the dice never reach {status}: {kinds:?}");
    }
}

#[on_both]
async fn no_input_to_any_documented_operation_is_the_servers_fault(db: TestDb) {
    let app = TestApp::with(db, &[("RATE_LIMITS", "off"), ("SIGN_UP", "open")]).await;
    let (operations, service) = (operations(), app.all_scopes().await);
    let (mut dice, mut kinds) = (Dice(20_261_123), std::collections::BTreeMap::new());
    let mut ada = app.person("ada@example.com").await;
    for sent in 0..1_500 {
        let (method, path, fields) = &operations[(dice.roll() % operations.len() as u64) as usize];
        let path = path
            .replace("{id}", dice.pick(&PARAMETERS))
            .replace("{sid}", dice.pick(&PARAMETERS))
            .replace("{code}", "x");
        let body = dice.body_of(fields, &[&ada.access, &ada.refresh, &ada.email, PASSWORD]);
        let client = if dice.roll().is_multiple_of(3) {
            &service
        } else {
            &ada.client
        };
        let client = client.clone().with("content-type", "application/json");
        let told = format!("{sent}: {method} {path} {body}");
        let answer = client.call(method.clone(), &path, Body::from(body)).await;
        let status = answer.status.as_u16();
        *kinds.entry(status).or_insert(0) += 1;
        assert!(
            status < 500 && !answer.text().contains("panicked"),
            "{told}: {}",
            answer.text()
        );
        if status >= 400 && path != "/oauth/token" {
            assert!(answer.json()["code"].is_string(), "{told}: {}", answer.text());
        }
        if sent % 20 == 19 {
            // The dice may have locked, renamed or deleted the one before.
            ada = app.person(&format!("ada{sent}@example.com")).await;
        }
    }
    for status in [200, 201, 202, 204, 400, 401, 403, 404, 422] {
        assert!(kinds.contains_key(&status), "the dice never reach {status}: {kinds:?}");
    }
}
