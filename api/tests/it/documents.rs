//! The documents: complete, from the binary alone, and the same as the snapshot.

use std::{collections::BTreeSet, fs, path::Path};

use axum::http::StatusCode;
use serde_json::{Value, json};
use usher_shared::events::EventType;
use usher_testkit::{TestDb, on_both, run};

use crate::app::TestApp;

/// To accept a change on purpose: `UPDATE_SNAPSHOTS=1 cargo test -p usher-api the_openapi_document` and commit the
/// file.
#[test]
fn the_openapi_document_is_the_one_in_docs() {
    let now = usher_api::openapi().to_pretty_json().expect("JSON");
    assert_is_in_docs("openapi.json", &now, "the_openapi_document");
}

/// To accept a change on purpose: `UPDATE_SNAPSHOTS=1 cargo test -p usher-api the_asyncapi_document` and commit the
/// file.
#[test]
fn the_asyncapi_document_is_the_one_in_docs() {
    let now = serde_json::to_string_pretty(&usher_api::asyncapi()).expect("JSON");
    assert_is_in_docs("asyncapi.json", &now, "the_asyncapi_document");
}

fn assert_is_in_docs(name: &str, now: &str, test: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs").join(name);
    let now = format!("{now}\n");
    #[expect(
        clippy::disallowed_methods,
        reason = "a switch of this test, not a setting of the product"
    )]
    if std::env::var("UPDATE_SNAPSHOTS").is_ok() {
        fs::write(&path, &now).expect("the snapshot is written");
    }
    let kept = fs::read_to_string(&path).unwrap_or_default();
    let difference = now
        .lines()
        .zip(kept.lines())
        .enumerate()
        .find(|(_, (now, kept))| now != kept);
    assert!(
        now == kept,
        "the document changed, first at {difference:?}. If that is meant: \
         UPDATE_SNAPSHOTS=1 cargo test -p usher-api {test}, and commit docs/{name}"
    );
}

/// Patterns mean the same to every reader: to Go (RE2), and to JavaScript with its `u` flag, which knows no escape but
/// those that mean something.
#[test]
fn every_pattern_is_one_that_all_engines_know() {
    fn patterns(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(fields) => fields.iter().for_each(|(name, value)| match (name.as_str(), value) {
                ("pattern", Value::String(pattern)) => found.push(pattern.clone()),
                _ => patterns(value, found),
            }),
            Value::Array(elements) => elements.iter().for_each(|value| patterns(value, found)),
            _ => {}
        }
    }
    let mut found = vec![];
    patterns(&serde_json::to_value(usher_api::openapi()).unwrap(), &mut found);
    assert!(found.len() > 10, "{found:?}");
    for pattern in found {
        regex::Regex::new(&pattern).unwrap_or_else(|error| panic!("{error}"));
        let mut chars = pattern.chars().peekable();
        while let Some(c) = chars.next() {
            match c {
                '\\' => {
                    let escaped = chars.next();
                    assert!(
                        escaped.is_some_and(|c| "xsSdDwWbBnrtfv^$.*+?()[]{}|/\\".contains(c)),
                        "\\{escaped:?} in {pattern}"
                    );
                }
                '(' if chars.peek() == Some(&'?') => panic!("a group of one engine's own in {pattern}"),
                _ => {}
            }
        }
    }
}

#[test]
fn every_operation_is_documented_whole() {
    let document = serde_json::to_value(usher_api::openapi()).unwrap();
    assert_eq!(document["openapi"], "3.1.0");
    let mut seen = 0;
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            seen += 1;
            let name = format!("{method} {path}");
            for text in ["summary", "operationId"] {
                assert!(
                    operation[text].as_str().is_some_and(|text| !text.is_empty()),
                    "{name} has no {text}"
                );
            }
            assert!(operation["security"].is_array(), "{name} does not say who may call it");
            for (status, response) in operation["responses"].as_object().unwrap() {
                assert!(
                    response["description"].as_str().is_some_and(|text| !text.is_empty()),
                    "{name} {status}"
                );
                // RFC 6749 has its own errors.
                let is_oauth = path == "/oauth/token" && ["400", "401"].contains(&&**status);
                if !is_oauth && (status.starts_with('4') || status == "500") {
                    for kind in ["application/json", "application/problem+json"] {
                        assert!(
                            response["content"][kind]["examples"].is_object(),
                            "{name} {status} {kind}"
                        );
                    }
                }
            }
        }
    }
    assert!(seen >= 7, "{seen} operations");
}

#[test]
fn the_document_of_events_is_whole() {
    let document = usher_api::asyncapi();
    let mut references = BTreeSet::new();
    collect_references(&document, &mut references);
    let dangling: Vec<_> = references
        .iter()
        .filter(|at| document.pointer(&at[1..]).is_none())
        .collect();
    assert!(references.len() > 20 && dangling.is_empty(), "{dangling:?}");
    for (name, channel) in document["channels"].as_object().expect("channels") {
        for (message, shown) in channel["messages"].as_object().expect("messages") {
            let at = format!("#/channels/{name}/messages/{message}");
            assert!(references.contains(&at), "no operation has {at}");
            let target = shown["$ref"]
                .as_str()
                .map(|at| document.pointer(&at[1..]).expect("a message"));
            let shown = target.unwrap_or(shown);
            assert!(shown["summary"].is_string() && shown["payload"].is_object(), "{at}");
            assert!(
                shown["examples"][0]["payload"].is_object() || message == "position",
                "{at}"
            );
        }
    }
    for kind in EventType::all() {
        let (word, schemas) = (kind.as_str(), &document["components"]["schemas"]);
        let message = &document["components"]["messages"][word];
        assert_eq!(message["summary"], kind.about());
        let example = &message["examples"][0]["payload"];
        assert_eq!(keys(example), keys(&schemas["Event"]["properties"]), "{word}");
        let data = schemas[word]["allOf"][1]["properties"]["data"]["$ref"].as_str();
        let data = document
            .pointer(&data.expect("the data has a schema")[1..])
            .expect("a schema");
        assert_eq!(keys(&example["data"]), keys(&data["properties"]), "{word}");
        assert_eq!(example["object"]["id"], example["data"]["id"].to_string(), "{word}");
    }
}

fn collect_references(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            found.extend(members.get("$ref").and_then(Value::as_str).map(str::to_owned));
            members.values().for_each(|value| collect_references(value, found));
        }
        Value::Array(values) => values.iter().for_each(|value| collect_references(value, found)),
        _ => {}
    }
}

#[test]
fn the_document_of_events_names_the_servers_of_the_installation() {
    run(async {
        let at = async |api_url: &str| {
            let app = TestApp::with(TestDb::sqlite().await, &[("API_URL", api_url)]).await;
            app.anonymous().get("/asyncapi.json").await.json()
        };
        let near = at("http://127.0.0.1:8000").await;
        assert_eq!(near["servers"], usher_api::asyncapi()["servers"]);
        for (server, protocol) in [("http", "http"), ("websocket", "ws")] {
            let server = &near["servers"][server];
            assert_eq!(
                (&server["host"], &server["protocol"]),
                (&json!("127.0.0.1:8000"), &json!(protocol))
            );
            assert!(server["pathname"].is_null());
        }
        let far = at("https://example.org/api/v1").await;
        for (server, protocol) in [("http", "https"), ("websocket", "wss")] {
            let server = &far["servers"][server];
            assert_eq!(
                (&server["host"], &server["protocol"]),
                (&json!("example.org"), &json!(protocol))
            );
            assert_eq!(server["pathname"], "/api/v1");
        }
    });
}

#[on_both]
async fn the_examples_work_when_pasted(db: TestDb) {
    let app = TestApp::start(db).await;
    let client = app.all_scopes().await;
    let document = client.get("/openapi.json").await.json();
    let schemas = &document["components"]["schemas"];
    let made = client.post("/users", &example(&schemas["NewUser"])).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text());
    let id = &document["paths"]["/users/{id}"]["get"]["parameters"][0]["example"];
    let shown = client.get(&format!("/users/{id}")).await.json();
    assert_eq!(keys(&shown), keys(&schemas["UserDetails"]["properties"]));
    assert_eq!(shown["age"], schemas["UserDetails"]["properties"]["age"]["example"]);
}

/// The object that the documents show for a schema: each property's example.
fn example(schema: &Value) -> Value {
    let properties = schema["properties"].as_object().expect("an object");
    properties
        .iter()
        .map(|(name, property)| (name.clone(), property["example"].clone()))
        .collect()
}

fn keys(object: &Value) -> Vec<&String> {
    object.as_object().expect("an object").keys().collect()
}

#[test]
fn the_pages_load_nothing_but_our_own_files() {
    run(async {
        let app = TestApp::start(TestDb::sqlite().await).await;
        let client = app.anonymous();
        for page in ["/docs", "/redoc", "/docs/", "/"] {
            let answer = client.clone().with("accept", "text/html").get(page).await;
            assert_eq!(
                (answer.status, answer.header("content-type")),
                (StatusCode::OK, "text/html; charset=utf-8")
            );
            let html = answer.text();
            let loads = html
                .split(&['"', '\''][..])
                .filter(|part| part.starts_with('/') && part.contains("?v="));
            let mut count = 0;
            for address in loads {
                count += 1;
                let file = client.get(address).await;
                assert_eq!(file.status, StatusCode::OK, "{address}");
                assert_eq!(
                    file.header("cache-control"),
                    "public, max-age=31536000, immutable",
                    "{address}"
                );
            }
            assert!(count >= 2, "{page} loads {count} files");
            assert!(
                !html.contains("//") || html.contains("xmlns"),
                "{page} names another host: {html}"
            );
            assert!(
                !html.contains("<script>") && !html.contains("style="),
                "{page} has inline code"
            );
        }
    });
}

#[test]
fn files_are_sent_compressed_whole_or_not_at_all() {
    run(async {
        let app = TestApp::start(TestDb::sqlite().await).await;
        let (packed, plain) = (app.anonymous().with("accept-encoding", "br, gzip"), app.anonymous());
        for path in [
            "/openapi.json",
            "/asyncapi.json",
            "/assets/redoc.standalone.js",
            "/assets/swagger-ui.css",
        ] {
            let (small, whole) = (packed.get(path).await, plain.get(path).await);
            assert_eq!(
                (small.header("content-encoding"), whole.header("content-encoding")),
                ("gzip", ""),
                "{path}"
            );
            assert!(small.body.len() * 2 < whole.body.len(), "{path}");
            assert_ne!(small.header("etag"), whole.header("etag"), "{path}");
            assert_eq!(
                (small.header("cache-control"), small.header("vary")),
                ("no-cache", "accept-encoding"),
                "{path}"
            );
            let again = packed
                .clone()
                .with("if-none-match", small.header("etag"))
                .get(path)
                .await;
            assert_eq!(
                (again.status, again.body.len()),
                (StatusCode::NOT_MODIFIED, 0),
                "{path}"
            );
        }
        let redoc = plain.get("/assets/redoc.standalone.js").await.text();
        assert!(!redoc.contains("cdn.redoc.ly"));
        assert_eq!(plain.get("/favicon.ico").await.header("content-type"), "image/svg+xml");
        assert_eq!(
            plain.get("/assets/pages.css?v=old").await.header("cache-control"),
            "no-cache"
        );
    });
}
