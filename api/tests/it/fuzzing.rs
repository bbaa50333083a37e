//! The running API against its own document: whatever the document allows or forbids is sent to every operation, with a
//! key of every scope or a superuser's access token, whichever the operation takes.

use tokio::{net::TcpListener, process::Command};
use tokio_util::sync::CancellationToken;
use usher_shared::accounts::api_keys::{self, Scope};
use usher_testkit::{TestDb, hash, judge, superuser};

use crate::{app::TestApp, clients};

/// Not the one of the document's examples, which would be accepted as the current one and changed.
const PASSWORD: &str = "four uncommon words together";
const EMAIL: &str = "root@example.com";

/// Without the time limit of other tests, because it may have to install the tools first.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_answer_is_one_that_the_document_allows() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let settings = [
        ("API_URL", &*url),
        ("SIGN_UP", "open"),
        ("STAFF_MFA", "optional"),
        ("RATE_LIMITS", "off"),
    ];
    let app = TestApp::with(TestDb::postgres().await, &settings).await;
    // The document's examples name the ids 1; the callers' own rows come after them.
    app.all_scopes().await.sign_up("one@example.com").await;
    superuser(&app.context.db, "Root", EMAIL, &hash(PASSWORD).await).await;
    let (_, key) = api_keys::create(&app.context.db, "fuzz", &Scope::BUILT_IN, None, None)
        .await
        .expect("a key");
    let (context, stop) = (app.context.clone(), CancellationToken::new());
    let stopping = stop.clone();
    let serving = tokio::spawn(async move { usher_api::serve(&context, listener, stopping).await });
    let checked = Command::new(clients::script("fuzz"))
        .arg(clients::tools())
        .env("API_URL", &url)
        .env("API_KEY", key.as_str())
        .env("EMAIL", EMAIL)
        .env("PASSWORD", PASSWORD)
        .output()
        .await
        .expect("the script runs");
    judge(&checked);
    stop.cancel();
    serving.await.expect("the API ends");
}
