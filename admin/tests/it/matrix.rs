//! Every route × every role × GET and POST. The routes are the router's own list; what each takes is written here
//! once more, by hand, so that a new route fails this test until somebody has decided who may use it.

use axum::http::StatusCode;
use usher_admin::{AppState, paths};
use usher_testkit::{TestDb, on_both};

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
    /// A superuser: no permission is enough.
    Superuser,
    /// There is no such method here.
    NoMethod,
    /// The model has no such page.
    NoPage,
}

/// Which operations each model offers beyond looking and exporting.
const MODELS: [(&str, &[&str]); 11] = [
    ("users", &["add", "change", "delete"]),
    ("roles", &["add", "change", "delete"]),
    ("sessions", &[]),
    ("api_keys", &["add", "change"]),
    ("jobs", &["delete"]),
    ("schedules", &["change"]),
    ("queues", &["add", "change"]),
    ("mails", &[]),
    ("suppressions", &["delete"]),
    ("breakers", &["delete"]),
    ("audit", &[]),
];

/// One action of each model that has any.
fn action(model: &str) -> Option<&'static str> {
    Some(match model {
        "users" => "unlock",
        "jobs" => "retry",
        "sessions" | "api_keys" => "revoke",
        "schedules" => "run_now",
        "queues" => "resume",
        _ => return None,
    })
}

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
        ("/admin/login", _)
        | ("/admin/mfa" | "/admin/mfa/enrol", _)
        | ("/admin/theme" | "/admin/mfa/saved" | "/admin/logout", true) => Takes::Nothing,
        ("/admin/theme" | "/admin/mfa/saved" | "/admin/logout" | "/admin/{model}/{id}/restore", false) => {
            Takes::NoMethod
        }
        ("/admin/" | "/admin/{model}" | "/admin/{model}/{id}/history", true)
        | ("/admin/mails/{id}/body" | "/admin/mails/{id}/links", true) => Takes::NoMethod,
        ("/admin/mails/{id}/links", false) => Takes::Superuser,
        // Which permission it takes depends on what is asked for; the tests of live pages have all of it.
        ("/admin/live", false) => Takes::Staff,
        ("/admin/live", true) => Takes::NoMethod,
        ("/admin/", false) | ("/admin/reauthenticate", _) => Takes::Staff,
        ("/admin/impersonation/end", post) => {
            if post {
                Takes::Staff
            } else {
                Takes::NoMethod
            }
        }
        ("/admin/users/import/{id}/faults.csv" | "/admin/users/import/{id}/changes.csv", true) => Takes::NoMethod,
        (
            "/admin/users/import"
            | "/admin/users/import/{id}"
            | "/admin/users/import/{id}/faults.csv"
            | "/admin/users/import/{id}/changes.csv",
            _,
        ) => Takes::Permissions(vec!["users.view".to_owned(), "users.import".to_owned()]),
        ("/admin/{model}/columns", true) => view(),
        ("/admin/{model}/columns", false) => Takes::NoMethod,
        ("/admin/mails/{id}/body", false) => Takes::Permissions(vec!["mails.view".to_owned()]),
        ("/admin/{model}" | "/admin/{model}/{id}", false) => view(),
        ("/admin/{model}/{id}/history", false) => {
            Takes::Permissions(vec![format!("{model}.view"), "audit.view".to_owned()])
        }
        // Who may only add need not see.
        ("/admin/{model}/new", _) if offered.contains(&"add") => Takes::Permissions(vec![format!("{model}.add")]),
        ("/admin/{model}/new", _) => Takes::NoPage,
        ("/admin/{model}/{id}/export.json", false) => {
            Takes::Permissions(vec![format!("{model}.view"), format!("{model}.export")])
        }
        ("/admin/{model}/{id}/export.json", true) => Takes::NoMethod,
        ("/admin/{model}/{id}", true) => operation("change"),
        ("/admin/{model}/{id}/delete", _) => operation("delete"),
        ("/admin/{model}/{id}/restore", true) => operation("delete"),
        ("/admin/{model}/actions", _) => match action(model) {
            Some(action) => Takes::Permissions(vec![format!("{model}.view"), format!("{model}.{action}")]),
            None => Takes::NoPage,
        },
        ("/admin/{model}/export.csv" | "/admin/{model}/export.json", false) => {
            Takes::Permissions(vec![format!("{model}.view"), format!("{model}.export")])
        }
        ("/admin/search", false) => Takes::Staff,
        ("/admin/search" | "/admin/{model}/autocomplete", true) => Takes::NoMethod,
        ("/admin/{model}/autocomplete", false) => view(),
        ("/admin/jobs/overview", false) => Takes::Permissions(vec!["jobs.view".to_owned()]),
        ("/admin/jobs/overview", true) => Takes::Permissions(vec!["jobs.view".to_owned(), "queues.resume".to_owned()]),
        ("/admin/account", false) => Takes::Staff,
        ("/admin/account", true) => Takes::NoMethod,
        (own, post) if own.starts_with("/admin/account/") => {
            if post {
                Takes::Staff
            } else {
                Takes::NoMethod
            }
        }
        ("/admin/{model}/export.csv" | "/admin/{model}/export.json", true) => Takes::NoMethod,
        (unknown, _) => panic!("nobody has decided who may use {unknown}"),
    }
}

async fn send(visitor: &mut Visitor, path: &str, post: bool, model: &str) -> (StatusCode, String) {
    let action = action(model).unwrap_or("resume");
    let page = if post {
        // Another form than the last one, which may have been taken.
        visitor.get("/admin/no-such-page").await;
        visitor
            .post(path, &[("action", action), ("id", "1"), ("queue", "mail")])
            .await
    } else if path.ends_with("/actions") {
        visitor.get(&format!("{path}?action={action}&id=1")).await
    } else {
        visitor.get(path).await
    };
    (page.status, page.location().to_owned())
}

/// Permissions that staff may come with: each alone, each with the sight of its model, and all but those of one model.
fn grants() -> Vec<Vec<String>> {
    let of_model = |(model, offered): &(&str, &[&str])| -> Vec<String> {
        let words = offered.iter().copied().chain(["view", "export"]).chain(action(model));
        words.map(|word| format!("{model}.{word}")).collect()
    };
    let mut grants = vec![vec![], vec!["jobs.view".to_owned(), "queues.resume".to_owned()]];
    grants.extend([
        vec!["users.import".to_owned()],
        vec!["users.view".to_owned(), "users.import".to_owned()],
        vec!["users.view".to_owned(), "audit.view".to_owned()],
    ]);
    for model in &MODELS {
        let view = format!("{}.view", model.0);
        for permission in of_model(model) {
            if permission != view {
                grants.push(vec![view.clone(), permission.clone()]);
            }
            grants.push(vec![permission]);
        }
        let others = MODELS.iter().filter(|other| other.0 != model.0);
        grants.push(others.flat_map(of_model).collect());
    }
    grants
}

/// Whether a grant says anything about the pages of a model.
fn concerns(granted: &[String], model: &str) -> bool {
    let own = granted
        .iter()
        .any(|permission| permission.starts_with(&format!("{model}.")));
    granted.is_empty() || own != (granted.len() > 2)
}

#[on_both]
async fn every_route_is_closed_to_every_role_that_was_not_given_it(db: TestDb) {
    let app = TestApp::start(db).await;
    let routes = paths(&AppState::new(&app.context));
    assert!(routes.len() >= 20, "{routes:?}");
    let mut anonymous = app.anonymous();
    anonymous.get("/admin/login").await;
    let mut superuser = app.superuser().await;
    superuser.get("/admin/").await;
    let person = app.add_staff("matrix@example.org", &[]).await;
    let mut visitor = app.signed_in("matrix@example.org").await;
    visitor.get("/admin/").await;

    let pages = |route: &str| -> Vec<(&'static str, bool)> {
        let models: Vec<_> = MODELS
            .iter()
            .map(|(name, _)| *name)
            .filter(|_| route.contains("{model}"))
            .collect();
        let models = if models.is_empty() { vec![""] } else { models };
        models
            .into_iter()
            .flat_map(|model| [(model, false), (model, true)])
            .collect()
    };
    let path_of = |route: &str, model: &str| route.replace("{model}", model).replace("{id}", "999999999");
    for route in &routes {
        for (model, post) in pages(route) {
            let (path, takes) = (path_of(route, model), takes(route, post, model));
            let what = format!("{} {path} takes {takes:?}", if post { "POST" } else { "GET" });
            let (status, location) = send(&mut anonymous.clone(), &path, post, model).await;
            match takes {
                Takes::Nothing => assert_ne!(status, StatusCode::FORBIDDEN, "{what}: anonymous"),
                Takes::NoMethod => assert_eq!(status, StatusCode::METHOD_NOT_ALLOWED, "{what}: anonymous"),
                _ => assert!(
                    location.starts_with("/admin/login"),
                    "{what}: anonymous got {status} {location}"
                ),
            }
            if *route != "/admin/logout" {
                let (status, _) = send(&mut superuser, &path, post, model).await;
                assert!(
                    status != StatusCode::FORBIDDEN && !status.is_server_error(),
                    "{what}: the superuser got {status}"
                );
            }
        }
    }
    let mut tried = 0;
    for granted in grants() {
        app.grant(person.id, &granted).await;
        for route in routes.iter().filter(|route| **route != "/admin/logout") {
            for (model, post) in pages(route) {
                if !model.is_empty() && !concerns(&granted, model) {
                    continue;
                }
                let (path, takes) = (path_of(route, model), takes(route, post, model));
                let what = format!(
                    "{} {path} takes {takes:?}: staff with {granted:?}",
                    if post { "POST" } else { "GET" }
                );
                let (status, _) = send(&mut visitor.clone(), &path, post, model).await;
                assert!(!status.is_server_error(), "{what} got {status}");
                let may = match &takes {
                    Takes::Nothing | Takes::Staff => true,
                    Takes::Superuser => false,
                    Takes::Permissions(all) => all.iter().all(|one| granted.contains(one)),
                    Takes::NoMethod => {
                        assert_eq!(status, StatusCode::METHOD_NOT_ALLOWED, "{what}");
                        continue;
                    }
                    Takes::NoPage => {
                        let closed = [StatusCode::NOT_FOUND, StatusCode::FORBIDDEN, StatusCode::BAD_REQUEST];
                        assert!(closed.contains(&status), "{what} got {status}");
                        continue;
                    }
                };
                assert_eq!(status == StatusCode::FORBIDDEN, !may, "{what} got {status}");
                tried += 1;
            }
        }
    }
    assert!(tried > 1_000, "{tried}");
}
