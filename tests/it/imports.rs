//! A file of users goes through the admin and the worker of one `usher up`, by the clicks that a member of staff makes.

use std::{fs, time::Duration};

use usher_testkit::{Folder, Program, eventually, free_port, run};

use crate::{greeting::Greeting, staff::Staff};

const LIMIT: Duration = Duration::from_secs(60);

async fn imported(javascript: bool) {
    let folder = Folder::new();
    let [api, admin] = [0; 2].map(|_| format!("127.0.0.1:{}", free_port()));
    let usher = Program::named("usher").env("API_ADDR", &api).env("ADMIN_ADDR", &admin);
    let running = usher.ready_at(&api).ready_at(&admin).start(&folder).await;
    let greeting = Greeting::read(&running.log());
    let staff = Staff::sign_in(&admin, &greeting.email, &greeting.password).await;
    let browser = &staff.browser;
    browser.javascript(javascript).await;

    let file = folder.join("people.csv");
    fs::write(
        &file,
        "email;name;age\nada@example.org;Ada;36\nnobody;;200\ngrace@example.org;Grace;\n",
    )
    .expect("a file");
    browser.goto(&format!("{}/users", staff.admin)).await;
    browser.follow("Import").await;
    browser.choose_file("#file", &file).await;
    browser.click("main .primary").await;
    // Without scripts a person loads the page again.
    let until = async |words: &str| {
        eventually(LIMIT, words, async || {
            let text = browser.page_text().await;
            if !text.contains(words) && !javascript {
                browser.goto(&browser.url().await).await;
            }
            text.contains(words).then_some(text)
        })
        .await
    };
    let checked = until("Nothing has been changed yet").await;
    assert!(
        checked.contains("Import 2 users") && checked.contains("Errors"),
        "{checked}"
    );
    let look = browser.url().await;
    assert_eq!(
        staff.find("users", "ada@example.org").await,
        Vec::<String>::new(),
        "a look changes nothing"
    );
    browser.goto(&look).await;
    until("Import 2 users").await;
    browser.click("main form.narrow [name=welcome]").await;
    browser.click("main form.narrow .primary").await;
    let done = until("Import complete").await;
    assert!(done.contains("2\nImported") && done.contains("1\nErrors"), "{done}");

    assert_eq!(staff.find("users", "grace@example.org").await.len(), 1);
    let mail = eventually(LIMIT, "the welcome mail is in the admin", async || {
        staff.find("mails", "ada@example.org").await.pop()
    });
    mail.await;
    assert!(staff.open_first().await.contains("ada@example.org"));
    browser.text("iframe").await;
    staff.expect_clean_pages().await;
    assert_eq!(running.terminate().await, 0);
}

#[test]
fn a_file_of_users_is_checked_and_imported_with_javascript() {
    run(imported(true));
}

#[test]
fn a_file_of_users_is_checked_and_imported_without_javascript() {
    run(imported(false));
}
