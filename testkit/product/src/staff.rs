//! Staff in the admin: pages, and the forms on them.

use axum::{
    Router,
    body::Body,
    http::{Method, Request, StatusCode, header},
};
use http_body_util::BodyExt;
use tower::ServiceExt;
use url::form_urlencoded;
use usher::entity::user;

use crate::client::{MULTIPART, multipart};

/// The cookie in which the admin keeps a session's token.
pub(crate) const SESSION_COOKIE: &str = "usher_admin";

/// A member of staff who is signed in to the admin.
#[derive(Clone, Debug)]
pub struct Staff {
    pub user: user::Model,
    router: Router,
    token: String,
}

/// A page of the admin.
#[derive(Clone, Debug)]
pub struct Page {
    pub status: StatusCode,
    pub html: String,
    /// Where it redirects to; empty if it doesn't.
    pub location: String,
}

impl Page {
    /// The page, if the status is this one.
    ///
    /// # Panics
    /// With the page, if the status is another one.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "{}", self.html);
        self
    }

    #[must_use]
    pub fn contains(&self, text: &str) -> bool {
        self.html.contains(text)
    }

    /// The hidden fields of the form with this address; of the page's last form with a token if none has it.
    fn hidden_fields(&self, action: &str) -> Vec<(String, String)> {
        let forms = || self.html.split("<form ").skip(1);
        let address = format!("action=\"{action}\"");
        let form = forms().find(|form| form.contains(&address));
        let form = form.or_else(|| forms().filter(|form| form.contains("csrf_token")).last());
        let form = form.and_then(|form| form.split("</form>").next()).unwrap_or_default();
        let inputs = form.split("<input type=\"hidden\" ").skip(1);
        inputs
            .filter_map(|input| Some((attribute(input, "name")?, attribute(input, "value")?)))
            .collect()
    }
}

/// An attribute of a tag, with its entities decoded.
fn attribute(tag: &str, name: &str) -> Option<String> {
    let value = tag.split(&format!("{name}=\"")).nth(1)?.split('"').next()?;
    let decoded = value.replace("&#34;", "\"").replace("&#39;", "'").replace("&lt;", "<");
    Some(decoded.replace("&gt;", ">").replace("&#38;", "&").replace("&amp;", "&"))
}

impl Staff {
    pub(crate) fn new(router: Router, user: user::Model, token: &str) -> Self {
        Self {
            user,
            router,
            token: token.to_owned(),
        }
    }

    pub(crate) fn token(&self) -> &str {
        &self.token
    }

    pub async fn get(&self, path: &str) -> Page {
        self.send(Method::GET, path, Body::empty()).await
    }

    /// Sends the form of the page at `page` whose address is `action`: its hidden fields, and these.
    pub async fn submit(&self, page: &str, action: &str, fields: &[(&str, &str)]) -> Page {
        let form = self.get(page).await;
        let mut body = form_urlencoded::Serializer::new(String::new());
        body.extend_pairs(form.hidden_fields(action));
        body.extend_pairs(fields);
        self.send(Method::POST, action, Body::from(body.finish())).await
    }

    /// The same for a form with a file of this name in its field `file`: as `multipart/form-data`, as browsers do.
    pub async fn upload(
        &self,
        page: &str,
        action: &str,
        fields: &[(&str, &str)],
        name: &str,
        content: impl AsRef<[u8]>,
    ) -> Page {
        let form = self.get(page).await;
        let hidden = form.hidden_fields(action);
        let hidden = hidden.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let fields: Vec<_> = hidden.chain(fields.iter().copied()).collect();
        let body = multipart(&fields, ("file", name, "application/octet-stream"), content.as_ref());
        self.send_as(MULTIPART, Method::POST, action, Body::from(body)).await
    }

    async fn send(&self, method: Method, path: &str, body: Body) -> Page {
        self.send_as("application/x-www-form-urlencoded", method, path, body)
            .await
    }

    async fn send_as(&self, content_type: &str, method: Method, path: &str, body: Body) -> Page {
        let request = Request::builder().method(method).uri(path);
        let request = request.header(header::COOKIE, format!("{SESSION_COOKIE}={}", self.token));
        let request = request.header(header::CONTENT_TYPE, content_type);
        let request = request.body(body).expect("a request");
        let Ok(response) = self.router.clone().oneshot(request).await;
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.expect("a whole body").to_bytes();
        let location = parts.headers.get(header::LOCATION).and_then(|to| to.to_str().ok());
        Page {
            status: parts.status,
            html: String::from_utf8_lossy(&bytes).into_owned(),
            location: location.unwrap_or_default().to_owned(),
        }
    }
}
