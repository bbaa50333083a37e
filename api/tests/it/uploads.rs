//! Files that clients send and get: what is refused, and that what is taken comes back as it was sent.

use axum::{
    body::{Body, Bytes},
    extract::State,
    http::{Method, StatusCode},
};
use futures::stream;
use sea_orm::{ActiveModelTrait, ActiveValue::Set, EntityTrait, PaginatorTrait};
use serde_json::{Value, json};
use usher_api::{
    ApiError, ApiExtension, ApiKey, AppState, Code, Created, Download, IfNoneMatch, KeyOrUser, OpenApiRouter, PathId,
    Upload, UploadRule, UsersRead, UsersWrite, openapi_with, operation, operations, router_with,
};
use usher_shared::{
    accounts::api_keys::Scope,
    foundation::{
        entity::{api_key, stored_file, stored_file_chunk},
        time::now,
    },
};
use usher_testkit::{TestDb, create_tables, on_both};

use crate::app::{Answer, Client, TestApp};

mod paper {
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "papers")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i64,
        pub file_id: Uuid,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

/// What a paper can be.
struct Paper;

impl UploadRule for Paper {
    const MAX_BYTES: u64 = 300 * 1024;
    const MEDIA_TYPES: &'static [&'static str] = &["application/pdf", "text/plain"];
}

#[derive(serde::Serialize, utoipa::ToSchema)]
struct PaperOut {
    id: i64,
    name: String,
    media_type: String,
    size: i64,
}

/// Send a paper
#[operation(post, "/papers")]
async fn create_paper(
    State(state): State<AppState>,
    caller: KeyOrUser<UsersWrite>,
    upload: Upload<Paper>,
) -> Result<Created<PaperOut>, ApiError> {
    let file = upload.receive(&state.files).await?;
    let tx = state.begin().await?;
    caller.hold(&tx).await?;
    let stored_file::Model {
        id,
        name,
        media_type,
        size,
        ..
    } = file.keep::<paper::Entity>(&*tx).await?;
    let row = paper::ActiveModel {
        file_id: Set(id),
        ..Default::default()
    };
    let id = row.insert(&**tx).await?.id;
    tx.commit().await?;
    Ok(Created::new(
        &state,
        "/papers",
        id,
        PaperOut {
            id,
            name,
            media_type,
            size,
        },
    ))
}

/// Get a paper
#[operation(get, "/papers/{id}")]
async fn get_paper(
    State(state): State<AppState>,
    _key: ApiKey<UsersRead>,
    id: PathId,
    known: IfNoneMatch,
) -> Result<Download, ApiError> {
    let paper = paper::Entity::find_by_id(id.found()?)
        .one(&state.db)
        .await?
        .ok_or(Code::NOT_FOUND)?;
    let file = stored_file::Entity::find_by_id(paper.file_id).one(&state.db).await?;
    Ok(Download::open(&state.files, file.ok_or(Code::NOT_FOUND)?, &known).await?)
}

fn papers() -> ApiExtension {
    let routes = || -> OpenApiRouter<AppState> { operations![create_paper, get_paper] };
    ApiExtension::new("papers").routes(routes)
}

async fn start(db: TestDb) -> (TestApp, Client) {
    let mut app = TestApp::start(db).await;
    let table = "CREATE TABLE papers (id {id}, file_id {uuid} NOT NULL REFERENCES stored_files (id));";
    create_tables(&app.context.db, table).await;
    app.router = router_with(AppState::new(&app.context), &papers());
    let client = app.key(&[Scope::USERS_READ, Scope::USERS_WRITE]).await;
    (app, client)
}

fn part(name: &str, file_name: &str, kind: &str, content: &[u8]) -> Vec<u8> {
    let head = format!(
        "--b\r\nContent-Disposition: form-data; name=\"{name}\"; filename=\"{file_name}\"\r\nContent-Type: \
         {kind}\r\n\r\n"
    );
    [head.as_bytes(), content, b"\r\n"].concat()
}

fn form(parts: &[Vec<u8>]) -> Vec<u8> {
    [&parts.concat()[..], b"--b--\r\n"].concat()
}

async fn post(client: &Client, body: impl Into<Body>) -> Answer {
    let client = client.clone().with("content-type", "multipart/form-data; boundary=b");
    client.call(Method::POST, "/papers", body.into()).await
}

async fn send(client: &Client, kind: &str, content: &[u8]) -> Answer {
    post(client, form(&[part("file", "paper.pdf", kind, content)])).await
}

async fn files(app: &TestApp) -> u64 {
    stored_file::Entity::find().count(&app.context.db).await.unwrap()
}

#[on_both]
async fn a_file_comes_back_as_it_was_sent(db: TestDb) {
    let (_app, client) = start(db).await;
    let pdf = [b"%PDF-1.7\n".to_vec(), vec![0; 290_000]].concat();
    let sent = send(&client, "text/html", &pdf).await;
    assert_eq!(
        (sent.status, sent.header("location")),
        (StatusCode::CREATED, "/papers/1"),
        "{}",
        sent.text()
    );
    let expected = json!({"id": 1, "name": "paper.pdf", "media_type": "application/pdf", "size": 290_009});
    assert_eq!(sent.json(), expected, "by its bytes, and not as the client declares");

    let got = client
        .clone()
        .with("accept-encoding", "gzip, br")
        .get("/papers/1")
        .await;
    assert!(got.body == pdf);
    for (name, expected) in [
        ("content-type", "application/pdf"),
        ("content-length", "290009"),
        ("content-encoding", ""),
        (
            "content-disposition",
            "attachment; filename=\"paper.pdf\"; filename*=UTF-8''paper.pdf",
        ),
        ("x-content-type-options", "nosniff"),
        ("content-security-policy", "default-src 'none'; sandbox"),
        ("cache-control", "private, no-cache"),
    ] {
        assert_eq!(got.header(name), expected, "{name}");
    }
    send(&client, "text/plain", "grün".as_bytes()).await;
    assert_eq!(
        client.get("/papers/2").await.header("content-type"),
        "text/plain; charset=utf-8"
    );
    let known = client.clone().with("if-none-match", got.header("etag"));
    let again = known.get("/papers/1").await;
    assert_eq!((again.status, again.body.len()), (StatusCode::NOT_MODIFIED, 0));
}

#[on_both]
async fn what_is_no_such_file_is_refused_and_leaves_nothing(db: TestDb) {
    let (app, client) = start(db).await;
    let text = "text/plain";
    let invalid = |parts: &[Vec<u8>]| (form(parts), "invalid_request");
    let cut = form(&[part("file", "a", text, &[b'a'; 20_000])])[..15_000].to_vec();
    for (what, (body, code)) in [
        (
            "another type",
            invalid(&[part("file", "a", "application/pdf", b"\x89PNG\r\n\x1a\n")]),
        ),
        (
            "an unknown type",
            invalid(&[part("file", "a", "application/pdf", b"hello")]),
        ),
        ("no text", invalid(&[part("file", "a", text, b"a\0b")])),
        (
            "no UTF-8 at its end",
            invalid(&[part("file", "a", text, &[vec![b'a'; 9_000], vec![0xe2, 0x82]].concat())]),
        ),
        ("empty", invalid(&[part("file", "a", text, b"")])),
        ("no part", invalid(&[])),
        ("another name", invalid(&[part("picture", "a", text, b"a")])),
        (
            "two files",
            invalid(&[part("file", "a", text, b"a"), part("file", "b", text, b"b")]),
        ),
        ("broken off", (cut, "invalid_request")),
        ("no form at all", (b"hello".to_vec(), "invalid_request")),
        (
            "too large",
            (
                form(&[part("file", "a", text, &vec![b'a'; 300 * 1024 + 1])]),
                "file_too_large",
            ),
        ),
        (
            "far too large",
            (
                form(&[part("file", "a", text, &vec![b'a'; 900 * 1024])]),
                "file_too_large",
            ),
        ),
    ] {
        let answer = post(&client, body).await;
        assert_eq!(answer.json()["code"], code, "{what}: {}", answer.text());
        assert_eq!(files(&app).await, 0, "{what}");
    }
    let largest = send(&client, text, &vec![b'a'; 300 * 1024]).await;
    assert_eq!(largest.status, StatusCode::CREATED, "{}", largest.text());
}

/// A body in pieces, the last of which is an error if it is none.
fn pieces(pieces: Vec<Option<Vec<u8>>>) -> Body {
    let broken = || std::io::Error::other("the connection broke");
    let pieces = pieces
        .into_iter()
        .map(move |piece| piece.map(Bytes::from).ok_or_else(broken));
    Body::from_stream(stream::iter(pieces))
}

#[on_both]
async fn the_head_of_a_part_is_short_and_the_body_is_read_to_its_end(db: TestDb) {
    let (app, client) = start(db).await;
    let letters = |many: usize| vec![b'a'; many];
    let long_head = [b"--b\r\nX-A: ".to_vec(), letters(200_000)].concat();
    let preamble = letters(200_000);
    for (what, begin) in [("a head", long_head), ("a preamble", preamble)] {
        let body = pieces(begin.chunks(1_000).map(|piece| Some(piece.to_vec())).collect());
        let answer = post(&client, body).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{what}");
        assert!(
            answer.text().contains("longer than 16 KiB"),
            "{what}: {}",
            answer.text()
        );
    }
    let whole = form(&[part("file", "a", "text/plain", b"hello")]);
    let late = post(&client, pieces(vec![Some(whole.clone()), Some(b"\r\n".to_vec())])).await;
    assert_eq!(late.status, StatusCode::CREATED, "{}", late.text());
    let broken = post(&client, pieces(vec![Some(whole), None])).await;
    assert_eq!(broken.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", broken.text());
    assert_eq!(files(&app).await, 1);
}

#[on_both]
async fn a_file_that_is_lost_is_an_error_and_no_short_answer(db: TestDb) {
    let (app, client) = start(db).await;
    send(&client, "text/plain", b"hello").await;
    let lost = stored_file_chunk::Entity::delete_many();
    lost.exec(&app.context.db).await.unwrap();
    client.get("/papers/1").await.is(500, "internal_error");
}

#[on_both]
async fn a_key_that_is_revoked_while_it_sends_stores_nothing(db: TestDb) {
    let (app, _) = start(db).await;
    let (client, key) = app.key_row(&[Scope::USERS_WRITE]).await;
    let context = app.context.clone();
    let whole = form(&[part("file", "a", "text/plain", b"hello")]);
    let body = stream::once(async move {
        let revoked = api_key::ActiveModel {
            id: Set(key.id),
            revoked_at: Set(Some(now())),
            ..Default::default()
        };
        revoked.update(&context.db).await.unwrap();
        Ok::<_, std::io::Error>(Bytes::from(whole))
    });
    post(&client, Body::from_stream(body))
        .await
        .is(401, "invalid_credential");
    assert_eq!(paper::Entity::find().count(&app.context.db).await.unwrap(), 0);
}

#[on_both]
async fn nothing_is_read_of_who_may_not_send_it(db: TestDb) {
    let (app, client) = start(db).await;
    let endless = || Body::from_stream(stream::pending::<Result<Bytes, std::io::Error>>());
    post(&app.anonymous(), endless())
        .await
        .is(401, "authentication_required");
    let reader = app.key(&[Scope::USERS_READ]).await;
    post(&reader, endless()).await.is(403, "insufficient_scope");
    let json = client.post("/papers", &json!({})).await;
    assert_eq!(json.header("accept-post"), "multipart/form-data");
    json.is(415, "unsupported_media_type");
    let coded = client.clone().with("content-encoding", "gzip");
    post(&coded, endless()).await.is(415, "unsupported_content_coding");
    assert_eq!(files(&app).await, 0);
}

#[on_both]
async fn a_file_that_is_sent_again_is_stored_once(db: TestDb) {
    let (app, client) = start(db).await;
    let keyed = client.with("idempotency-key", "7f0c9f6e-5b0e-4e0b-9d57-0c4b7d1e2f30");
    let first = send(&keyed, "text/plain", b"hello").await;
    assert_eq!(first.status, StatusCode::CREATED, "{}", first.text());
    // Clients make up another boundary for each request.
    let other = String::from_utf8(form(&[part("file", "paper.pdf", "text/plain", b"hello")])).unwrap();
    let other = other.replace("--b", "--another");
    let again = keyed.with("content-type", "multipart/form-data; boundary=another");
    let again = again.call(Method::POST, "/papers", Body::from(other)).await;
    assert_eq!(
        (again.header("idempotency-replayed"), &again.body),
        ("true", &first.body)
    );
    assert_eq!(files(&app).await, 1);
}

#[test]
fn the_document_says_what_is_taken() {
    let document = serde_json::to_value(openapi_with(&papers())).unwrap();
    let sent = &document["paths"]["/papers"]["post"];
    let file = &sent["requestBody"]["content"]["multipart/form-data"]["schema"]["properties"]["file"];
    assert_eq!(file["format"], "binary");
    assert_eq!(
        file["description"],
        "The file: application/pdf, text/plain, of at most 300 KiB."
    );
    for status in ["201", "401", "403", "408", "413", "415", "422"] {
        assert!(sent["responses"].get(status).is_some(), "{status}");
    }
    let got = &document["paths"]["/papers/{id}"]["get"]["responses"];
    assert_eq!(got["200"]["content"]["*/*"]["schema"]["format"], "binary");
    assert_ne!(got["304"], Value::Null);
}
