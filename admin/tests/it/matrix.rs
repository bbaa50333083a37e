//! Every route × every role × GET and POST. The routes are the router's own list; what each takes is written here
//! once more, by hand, so that a new route fails this test until somebody has decided who may use it.

use std::collections::BTreeMap;

use axum::http::StatusCode;
use usher_admin::{AppState, paths};
use usher_testkit::on_both;

use crate::app::{TestApp, Visitor};

/// What a request takes.
#[derive(Clone, Debug, PartialEq)]
enum Takes {
    /// Nothing: anybody may send it.
    Nothing,
    /// A member of staff, whatever their roles.
    Staff,
    /// All of these permissions.
    Permissions(Vec<String>),
    /// There is no such method here.
    NoMethod,
    /// The model has no such page.
    NoPage,
}

/// Which operations each model offers beyond looking and exporting.
const MODELS: [(&str, &[&str]); 5] = [
    ("users", &["add", "change", "delete"]),
    ("roles", &["add", "change", "delete"]),
    ("jobs", &["delete"]),
    ("mails", &[]),
    ("audit", &[]),
];

fn takes(path: &str, post: bool, model: &str) -> Takes {
    let offered = MODELS
        .iter()
        .find(|(name, _)| *name == model)
        .map_or(&[][..], |(_, offered)| offered);
    let operation = |word: &str| {
        if offered.contains(&word) {
            Takes::Permissions(vec![format!("{model}.view"), format!("{model}.{word}")])
        } else {
            Takes::NoPage
        }
    };
    let view = || Takes::Permissions(vec![format!("{model}.view")]);
    match (path, post) {
        ("/admin/login", _) | ("/admin/mfa" | "/admin/mfa/enrol", _) | ("/admin/theme" | "/admin/logout", true) => {
            Takes::Nothing
        }
        ("/admin/theme" | "/admin/logout" | "/admin/{model}/{id}/restore", false) => Takes::NoMethod,
        ("/admin/" | "/admin/{model}" | "/admin/{model}/{id}/history" | "/admin/mails/{id}/body", true) => {
            Takes::NoMethod
        }
        ("/admin/", false) | ("/admin/reauthenticate", _) => Takes::Staff,
        ("/admin/mails/{id}/body", false) => Takes::Permissions(vec!["mails.view".to_owned()]),
        ("/admin/{model}" | "/admin/{model}/{id}" | "/admin/{model}/{id}/history", false) => view(),
        ("/admin/{model}/new", _) => operation("add"),
        ("/admin/{model}/{id}", true) => operation("change"),
        ("/admin/{model}/{id}/delete", _) => operation("delete"),
        ("/admin/{model}/{id}/restore", true) if model != "users" => match operation("delete") {
            Takes::Permissions(all) => Takes::Permissions(all),
            other => other,
        },
        ("/admin/{model}/{id}/restore", true) => operation("delete"),
        ("/admin/{model}/actions", _) => match model {
            "users" => Takes::Permissions(vec!["users.view".to_owned(), "users.unlock".to_owned()]),
            "jobs" => Takes::Permissions(vec!["jobs.view".to_owned(), "jobs.retry".to_owned()]),
            _ => Takes::NoPage,
        },
        (unknown, _) => panic!("nobody has decided who may use {unknown}"),
    }
}

fn action(model: &str) -> &'static str {
    if model == "users" { "unlock" } else { "retry" }
}

async fn send(visitor: &mut Visitor, path: &str, post: bool, model: &str) -> (StatusCode, String) {
    let page = if post {
        // A token of this visitor, from a page that is theirs.
        if visitor.get("/admin/login").await.status.is_redirection() {
            visitor.get("/admin/").await;
        }
        visitor.post(path, &[("action", action(model)), ("id", "1")]).await
    } else if path.ends_with("/actions") {
        visitor.get(&format!("{path}?action={}&id=1", action(model))).await
    } else {
        visitor.get(path).await
    };
    (page.status, page.location().to_owned())
}

on_both! {
    async fn every_route_is_closed_to_every_role_that_was_not_given_it(db: TestDb) {
        let app = TestApp::start(db).await;
        let routes = paths(&AppState::new(&app.house));
        assert!(routes.len() >= 14, "{routes:?}");

        let mut roles: BTreeMap<Vec<String>, Visitor> = BTreeMap::new();
        roles.insert(vec![], app.staff(&[]).await);
        for (model, offered) in MODELS {
            let words = offered.iter().copied().chain(["view", "unlock", "retry"]);
            for word in words {
                // The permission alone, and together with the sight of the model.
                let view = Some(format!("{model}.view")).filter(|_| word != "view");
                for with in [None, view] {
                    let granted: Vec<_> = with.into_iter().chain([format!("{model}.{word}")]).collect();
                    if roles.contains_key(&granted) {
                        continue;
                    }
                    let names: Vec<_> = granted.iter().map(String::as_str).collect();
                    let visitor = app.staff(&names).await;
                    roles.insert(granted, visitor);
                }
            }
        }
        let mut superuser = app.superuser().await;
        let mut tried = 0;
        for route in routes {
            let models: Vec<_> = if route.contains("{model}") { MODELS.iter().map(|(name, _)| *name).collect() } else { vec![""] };
            for model in models {
                for post in [false, true] {
                    let path = route.replace("{model}", model).replace("{id}", "999999999");
                    let takes = takes(route, post, model);
                    let what = format!("{} {path} takes {takes:?}", if post { "POST" } else { "GET" });

                    let (status, location) = send(&mut app.anonymous(), &path, post, model).await;
                    match takes {
                        Takes::Nothing => assert_ne!(status, StatusCode::FORBIDDEN, "{what}: anonymous"),
                        Takes::NoMethod => assert_eq!(status, StatusCode::METHOD_NOT_ALLOWED, "{what}: anonymous"),
                        _ => assert!(location.starts_with("/admin/login"), "{what}: anonymous got {status} {location}"),
                    }
                    if route == "/admin/logout" {
                        continue;
                    }
                    for (granted, visitor) in &mut roles {
                        let (status, _) = send(&mut visitor.clone(), &path, post, model).await;
                        let may = match &takes {
                            Takes::Nothing | Takes::Staff => true,
                            Takes::Permissions(all) => all.iter().all(|one| granted.contains(one)),
                            Takes::NoMethod => { assert_eq!(status, StatusCode::METHOD_NOT_ALLOWED, "{what}: {granted:?}"); continue }
                            Takes::NoPage => { assert!([StatusCode::NOT_FOUND, StatusCode::FORBIDDEN, StatusCode::BAD_REQUEST].contains(&status), "{what}: {granted:?} got {status}"); continue }
                        };
                        assert_eq!(status == StatusCode::FORBIDDEN, !may, "{what}: staff with {granted:?} got {status}");
                        assert!(!status.is_server_error(), "{what}: {granted:?}");
                        tried += 1;
                    }
                    let (status, _) = send(&mut superuser, &path, post, model).await;
                    assert!(status != StatusCode::FORBIDDEN && !status.is_server_error(), "{what}: the superuser got {status}");
                }
            }
        }
        assert!(tried > 500, "{tried}");
    }
}
