//! Where to go after signing in.

use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

/// The dashboard.
pub(crate) const HOME: &str = "/admin/";

/// The parameter of a page's address.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Next {
    #[serde(default)]
    pub(crate) next: String,
}

/// The address if it is a page of the admin, otherwise the dashboard: no open redirects.
pub(crate) fn own_address(next: &str) -> String {
    const HERE: &str = "http://admin.invalid";
    let here = url::Url::parse(HERE).ok();
    // Read as a browser reads it: `//host`, `\\host` and control characters lead away.
    let joined = here.as_ref().and_then(|here| here.join(next).ok());
    match (here, joined) {
        (Some(here), Some(url))
            if next.starts_with('/') && url.origin() == here.origin() && url.path().starts_with("/admin/") =>
        {
            url[url::Position::BeforePath..].to_owned()
        }
        _ => HOME.to_owned(),
    }
}

/// Goes to a page that leads on to `next`.
pub(crate) fn redirect(page: &str, next: &str) -> Response {
    Redirect::to(&format!("{page}?{}", query(next))).into_response()
}

/// Goes to `next`, if it is a page of the admin.
pub(crate) fn arrive(next: &str) -> Response {
    Redirect::to(&own_address(next)).into_response()
}

/// `next=…` for a query.
pub(crate) fn query(next: &str) -> String {
    url::form_urlencoded::Serializer::new(String::new())
        .append_pair("next", next)
        .finish()
}

#[cfg(test)]
mod tests {
    use super::own_address;

    #[test]
    fn next_leads_only_to_pages_of_the_admin() {
        assert_eq!(own_address("/admin/users?q=ada&o=-id"), "/admin/users?q=ada&o=-id");
        for foreign in [
            "",
            "admin/users",
            "https://evil.example/admin/",
            "//evil.example/admin/",
            "/\\evil.example/admin/",
            "/\t/evil.example/admin/",
            "\\\\evil.example",
            "javascript:alert(1)",
            "/admin.evil.example/",
            "/admin/../../docs",
            "/docs",
            "http://admin.invalid/admin/",
        ] {
            assert_eq!(own_address(foreign), "/admin/", "{foreign:?}");
        }
    }
}
