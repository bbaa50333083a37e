//! Callers of the API. Who calls is the client: somebody without a credential, another service, or a person.

use std::{net::SocketAddr, ops::Deref};

use axum::{
    Router,
    body::Body,
    extract::ConnectInfo,
    http::{HeaderMap, Method, Request, StatusCode},
};
use http_body_util::BodyExt;
use serde_json::Value;
use tower::ServiceExt;
use usher::entity::user;

/// The content type of what [`multipart`] makes.
pub(crate) const MULTIPART: &str = "multipart/form-data; boundary=usher-test";

/// A form with text fields, and a file after them: its field, its name and its media type.
pub(crate) fn multipart(fields: &[(&str, &str)], file: (&str, &str, &str), content: &[u8]) -> Vec<u8> {
    let part = "--usher-test\r\nContent-Disposition: form-data; name=";
    let text = |(name, value): &(&str, &str)| format!("{part}\"{name}\"\r\n\r\n{value}\r\n");
    let (field, name, media_type) = file;
    let head = format!("{part}\"{field}\"; filename=\"{name}\"\r\nContent-Type: {media_type}\r\n\r\n");
    let texts: String = fields.iter().map(text).collect();
    [texts.as_bytes(), head.as_bytes(), content, b"\r\n--usher-test--\r\n"].concat()
}

/// Somebody who calls the API, with the headers that all their requests carry.
#[derive(Clone, Debug)]
pub struct Client {
    router: Router,
    headers: Vec<(String, String)>,
}

impl Client {
    pub(crate) fn new(router: Router) -> Self {
        Self {
            router,
            headers: vec![],
        }
    }

    pub(crate) fn bearer(&self, token: &str) -> Self {
        self.with("authorization", &format!("Bearer {token}"))
    }

    /// The same client with one more header.
    #[must_use]
    pub fn with(&self, name: &str, value: &str) -> Self {
        let mut with = self.clone();
        with.headers.push((name.to_owned(), value.to_owned()));
        with
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, None, Body::empty()).await
    }

    /// Sends a JSON body.
    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        let body = Body::from(body.to_string());
        self.send(Method::POST, path, Some("application/json"), body).await
    }

    /// Sends a file, as `multipart/form-data`.
    pub async fn upload(&self, path: &str, name: &str, media_type: &str, content: impl AsRef<[u8]>) -> Answer {
        let body = multipart(&[], ("file", name, media_type), content.as_ref());
        self.send(Method::POST, path, Some(MULTIPART), Body::from(body)).await
    }

    /// Sends a JSON merge patch.
    pub async fn patch(&self, path: &str, body: &Value) -> Answer {
        let body = Body::from(body.to_string());
        let kind = Some("application/merge-patch+json");
        self.send(Method::PATCH, path, kind, body).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.send(Method::DELETE, path, None, Body::empty()).await
    }

    /// Sends any request.
    ///
    /// # Panics
    /// If the path or a header is malformed.
    pub async fn send(&self, method: Method, path: &str, content_type: Option<&str>, body: Body) -> Answer {
        let peer = SocketAddr::from(([203, 0, 113, 7], 50_000));
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        if let Some(kind) = content_type {
            request = request.header("content-type", kind);
        }
        let request = request.extension(ConnectInfo(peer)).body(body);
        let Ok(response) = self.router.clone().oneshot(request.expect("a request")).await;
        let (parts, body) = response.into_parts();
        let body = body.collect().await.expect("a whole body").to_bytes().to_vec();
        Answer {
            status: parts.status,
            headers: parts.headers,
            body,
        }
    }
}

/// A person with an account, who is signed in.
#[derive(Clone, Debug)]
pub struct Person {
    pub user: user::Model,
    pub(crate) client: Client,
}

impl Deref for Person {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

/// What the API answered.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Answer {
    /// The body as JSON, if the status is this one.
    ///
    /// # Panics
    /// With the body, if the status is another one.
    #[track_caller]
    pub fn expect(self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}", self.text());
        self.json()
    }

    /// The body as JSON; null if it is empty or something else.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// A header's value; empty if there is none.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name).and_then(|value| value.to_str().ok());
        value.unwrap_or_default()
    }
}
