//! `usher` without any setting but its ports, in an empty folder.

use std::time::Duration;

use serde_json::Value;
use usher_testkit::{Folder, Program, eventually, free_port, run};

use crate::{greeting::Greeting, staff::Staff};

const LIMIT: Duration = Duration::from_secs(60);

#[test]
fn one_command_serves_the_whole_journey_and_a_restart_keeps_everything() {
    run(async {
        let folder = Folder::new();
        let [api, admin, metrics] = [0; 3].map(|_| format!("127.0.0.1:{}", free_port()));
        let usher = Program::named("usher")
            .env("API_ADDR", &api)
            .env("ADMIN_ADDR", &admin)
            .env("METRICS_ADDR", &metrics);
        let usher = usher.ready_at(&api).ready_at(&admin);

        let running = usher.start(&folder).await;
        let greeting = Greeting::read(&running.log());
        let staff = Staff::sign_in(&admin, &greeting.email, &greeting.password).await;

        let created = greeting.curl.send().await;
        assert_eq!(created.status(), 201);
        let user: Value = created.json().await.expect("a JSON body");
        let (id, email, name) = (&user["id"], text(&user["email"]), text(&user["name"]));
        assert!(greeting.curl.body.contains(email) && greeting.curl.body.contains(name));

        let mail = eventually(Duration::from_secs(2), "the welcome mail is in the admin", async || {
            staff.find("mails", email).await.pop()
        })
        .await;
        assert!(mail.contains(email), "{mail}");
        let counted = reqwest::get(format!("http://{metrics}/metrics"))
            .await
            .expect("it is served");
        let counted = counted.text().await.expect("a text");
        assert!(
            counted.contains("usher_jobs_done_total{kind=\"welcome_email\"} 1\n"),
            "{counted}"
        );
        assert!(staff.find("users", email).await.concat().contains(name));
        let page = staff.open_first().await;
        assert!(page.contains(email) && page.contains("welcome_email"), "{page}");
        staff.expect_clean_pages().await;
        assert_eq!(running.terminate().await, 0);

        let running = usher.start(&folder).await;
        for secret in [&greeting.password, &greeting.key] {
            assert!(!running.log().contains(secret), "secrets are printed once");
        }
        let staff = Staff::sign_in(&admin, &greeting.email, &greeting.password).await;
        assert!(staff.find("users", email).await.concat().contains(name));
        assert!(staff.find("mails", email).await.concat().contains(email));
        let found = reqwest::Client::new()
            .get(format!("http://{api}/users/{id}"))
            .bearer_auth(&greeting.key);
        let found: Value = found
            .send()
            .await
            .expect("the API answers")
            .json()
            .await
            .expect("a JSON body");
        assert_eq!(found["email"], user["email"]);
        assert_eq!(running.terminate().await, 0);
    });
}

#[test]
fn commands_work_on_the_database_of_up_as_up_does() {
    run(async {
        let folder = Folder::new();
        let [api, admin] = [0; 2].map(|_| format!("127.0.0.1:{}", free_port()));
        let command = |words: &str| words.split(' ').fold(Program::named("usher"), Program::arg);
        let finish = async |words: &str| command(words).finish(&folder, LIMIT).await;
        for words in [
            "seed --users 1",
            "doctor",
            "staff list",
            "key list",
            "migrate status",
            "migrate",
            "reseal",
        ] {
            let (code, text) = finish(words).await;
            assert!(code != 0 && text.contains("DATABASE_URL is not set"), "{words}: {text}");
            assert!(
                !std::path::Path::new(&folder.join("data")).exists(),
                "{words} has made a database"
            );
        }
        let usher = Program::named("usher").env("API_ADDR", &api).env("ADMIN_ADDR", &admin);
        let running = usher.ready_at(&api).ready_at(&admin).start(&folder).await;
        let greeting = Greeting::read(&running.log());
        for (words, says) in [
            ("seed --users 7", "Added 7 users"),
            ("staff list", greeting.email.as_str()),
            ("key list", "first key"),
            ("migrate status", "Applied"),
            ("migrate", "up to date"),
            ("reseal", "0 re-encrypted"),
        ] {
            let (code, text) = finish(words).await;
            assert!(code == 0 && text.contains(says), "{words}: {text}");
        }
        let doctor = eventually(LIMIT, "all rows are sealed", async || {
            let (code, text) = finish("doctor").await;
            (code == 0 && text.contains("ok     secret key") && text.contains("STAFF_MFA=required makes"))
                .then_some(text)
        });
        doctor.await;
        assert_eq!(running.terminate().await, 0);
    });
}

fn text(value: &Value) -> &str {
    value
        .as_str()
        .unwrap_or_else(|| panic!("a text is expected, not {value}"))
}
