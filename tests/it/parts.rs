//! Parts of Usher inside other programs: the examples, run as their first lines say.

use std::time::Duration;

use usher_testkit::{Folder, Program, free_port, run};

#[test]
fn the_api_is_served_inside_another_program() {
    run(async {
        let (folder, port) = (Folder::new(), free_port());
        let address = format!("127.0.0.1:{port}");
        let shop = Program::named("examples/nested_api")
            .env("API_ADDR", &address)
            .env("API_URL", format!("http://{address}/accounts"))
            .ready_at(format!("{address}/accounts"));
        let shop = shop.start(&folder).await;
        let get = async |path: &str| {
            reqwest::get(format!("http://{address}{path}"))
                .await
                .expect("an answer")
        };
        assert_eq!(get("/").await.text().await.expect("a text"), "The shop's own page");
        let document: serde_json::Value = get("/accounts/openapi.json").await.json().await.expect("JSON");
        assert_eq!(document["servers"][0]["url"], format!("http://{address}/accounts"));
        let refused = get("/accounts/users").await;
        assert_eq!(refused.status(), 401);
        shop.kill();
    });
}

#[test]
fn the_worker_runs_the_jobs_of_another_program() {
    run(async {
        let folder = Folder::new();
        let (code, said) = Program::named("examples/foreign_jobs")
            .finish(&folder, Duration::from_secs(60))
            .await;
        assert_eq!((code, said.contains("Hello, Ada")), (0, true), "{said}");
    });
}
