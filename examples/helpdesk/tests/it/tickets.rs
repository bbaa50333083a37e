//! Tickets: in the API, in the admin, as jobs and mails.

use chrono::TimeDelta;
use helpdesk::{
    project,
    tickets::{READ, WRITE},
};
use sea_orm::{ActiveModelTrait, ActiveValue::Set};
use serde_json::json;
use usher::{accounts::users, entity::user, time::now};
use usher_test::{TestDb, TestProject, on_both};

#[on_both]
async fn the_schema_is_what_the_entities_expect(db: TestDb) {
    let helpdesk = TestProject::open(project(), db).await;
    assert_eq!(helpdesk.schema_differences().await, Vec::<String>::new());
}

#[on_both]
async fn a_person_opens_a_ticket_and_gets_a_mail(db: TestDb) {
    let helpdesk = TestProject::open(project(), db).await;
    let ada = helpdesk.person("Ada Lovelace", "ada@example.org").await;
    let ticket = json!({"subject": "My engine is stuck", "body": "It does not move.", "priority": "high"});
    let ticket = ada.post("/tickets", &ticket).await.expect(201);
    assert_eq!(
        (&ticket["state"], &ticket["priority"]),
        (&json!("open"), &json!("high"))
    );

    helpdesk.run_jobs().await;
    let mails = helpdesk.mails("ada@example.org").await;
    assert!(
        mails.iter().any(|mail| mail.subject == "We received your ticket #1"),
        "{mails:?}"
    );
}

#[on_both]
async fn people_see_their_own_tickets_and_services_all(db: TestDb) {
    let helpdesk = TestProject::open(project(), db).await;
    let ada = helpdesk.person("Ada Lovelace", "ada@example.org").await;
    let grace = helpdesk.person("Grace Hopper", "grace@example.org").await;
    for person in [&ada, &grace] {
        let ticket = json!({"subject": "Help", "body": format!("{} needs it", person.user.name)});
        person.post("/tickets", &ticket).await.expect(201);
    }
    let count = async |list: serde_json::Value| list["data"].as_array().map_or(0, Vec::len);
    assert_eq!(count(ada.get("/tickets").await.expect(200)).await, 1);
    ada.get("/tickets/2").await.expect(404);
    let desk = helpdesk.key(&[READ]).await;
    assert_eq!(count(desk.get("/tickets").await.expect(200)).await, 2);
    let refused = desk.patch("/tickets/2", &json!({"state": "closed"})).await.expect(403);
    assert_eq!(refused["code"], "insufficient_scope");
    helpdesk.anonymous().get("/tickets").await.expect(401);
}

#[on_both]
async fn a_closed_ticket_stays_as_it_is(db: TestDb) {
    let helpdesk = TestProject::open(project(), db).await;
    let ada = helpdesk.person("Ada Lovelace", "ada@example.org").await;
    let ticket = json!({"subject": "Help", "body": "Please"});
    ada.post("/tickets", &ticket).await.expect(201);
    let desk = helpdesk.key(&[READ, WRITE]).await;
    let closed = desk.patch("/tickets/1", &json!({"state": "closed"})).await.expect(200);
    assert_eq!(closed["state"], "closed");
    let problem = desk.patch("/tickets/1", &json!({"subject": "Other"})).await.expect(409);
    assert_eq!(problem["code"], "ticket_closed");
}

#[on_both]
async fn overdue_tickets_are_marked_every_hour(db: TestDb) {
    let helpdesk = TestProject::with(project(), db, &[("TICKET_DUE_HOURS", "0")]).await;
    let ada = helpdesk.person("Ada Lovelace", "ada@example.org").await;
    ada.post("/tickets", &json!({"subject": "Help", "body": "Now"}))
        .await
        .expect(201);
    helpdesk.tick("mark_overdue_tickets").await;
    helpdesk.run_jobs().await;
    let ticket = ada.get("/tickets/1").await.expect(200);
    assert_eq!(ticket["is_overdue"], true);
}

#[on_both]
async fn staff_see_a_persons_tickets_on_the_persons_page(db: TestDb) {
    let helpdesk = TestProject::open(project(), db).await;
    let ada = helpdesk.person("Ada Lovelace", "ada@example.org").await;
    ada.post("/tickets", &json!({"subject": "My engine is stuck", "body": "…"}))
        .await
        .expect(201);
    let staff = helpdesk.superuser().await;
    for path in [
        "/admin/tickets",
        &format!("/admin/users/{}", ada.user.id),
        "/admin/tickets/board",
    ] {
        let page = staff.get(path).await.expect(200);
        assert!(page.contains("My engine is stuck"), "{path}");
    }
}

#[on_both]
async fn staff_close_all_open_tickets_at_once(db: TestDb) {
    let helpdesk = TestProject::open(project(), db).await;
    let ada = helpdesk.person("Ada Lovelace", "ada@example.org").await;
    for number in 1..=3 {
        let ticket = json!({"subject": format!("Question {number}"), "body": "…"});
        ada.post("/tickets", &ticket).await.expect(201);
    }
    let staff = helpdesk.superuser().await;
    let path = "/admin/tickets/actions";
    let some = [("action", "close"), ("id", "1"), ("id", "2"), ("_confirmed", "yes")];
    staff.submit("/admin/tickets", path, &some).await.expect(303);
    let open = ada.get("/tickets?state=open").await.expect(200);
    assert_eq!(open["data"].as_array().map(Vec::len), Some(1), "{open}");
}

#[on_both]
async fn a_model_without_an_import_has_neither_its_page_nor_its_permission(db: TestDb) {
    let helpdesk = TestProject::open(project(), db).await;
    let staff = helpdesk.superuser().await;
    staff.get("/admin/tags/import").await.expect(404);
    for page in ["/admin/tags", "/admin/roles/new"] {
        let page = staff.get(page).await.expect(200);
        assert!(page.contains("Tags"), "{}", page.html);
        assert!(
            !page.contains("tags/import") && !page.contains("tags.import"),
            "{}",
            page.html
        );
    }
}

#[on_both]
async fn a_persons_tickets_are_in_their_export_and_go_with_the_account(db: TestDb) {
    let helpdesk = TestProject::open(project(), db).await;
    let ada = helpdesk.person("Ada Lovelace", "ada@example.org").await;
    let ticket = json!({"subject": "My engine is stuck", "body": "It does\nnot move."});
    ada.post("/tickets", &ticket).await.expect(201);
    let exported = users::export(&helpdesk.app.db, ada.user.id).await.expect("an answer");
    let exported = exported.expect("an account");
    assert_eq!(exported["apps"]["tickets"]["rows"][0]["subject"], "My engine is stuck");

    let long_ago = user::ActiveModel {
        id: Set(ada.user.id),
        deleted_at: Set(Some(now() - TimeDelta::days(31))),
        ..Default::default()
    };
    long_ago.update(&helpdesk.app.db).await.expect("an update");
    let tx = helpdesk.app.job_store.begin().await.expect("a transaction");
    assert!(users::purge(&tx, ada.user.id).await.expect("a purge"));
    tx.commit().await.expect("a commit");
    let desk = helpdesk.key(&[READ]).await;
    desk.get("/tickets/1").await.expect(404);
}

#[on_both]
async fn a_form_refuses_what_it_marks_as_required(db: TestDb) {
    let helpdesk = TestProject::open(project(), db).await;
    let staff = helpdesk.superuser().await;
    let refused = staff
        .submit("/admin/tags/new", "/admin/tags/new", &[("name", " ")])
        .await;
    assert!(refused.expect(422).contains("Enter a value"));
    staff
        .submit("/admin/tags/new", "/admin/tags/new", &[("name", "billing")])
        .await
        .expect(303);
}

#[on_both]
async fn staff_close_a_ticket_in_the_browser(db: TestDb) {
    let helpdesk = TestProject::open(project(), db).await;
    let ada = helpdesk.person("Ada Lovelace", "ada@example.org").await;
    let ticket = json!({"subject": "My engine is stuck", "body": "It does not move."});
    ada.post("/tickets", &ticket).await.expect(201);

    let browser = helpdesk.browser(&helpdesk.superuser().await).await;
    browser.visit("/admin/tickets").await;
    browser.follow("My engine is stuck").await;
    assert_eq!(browser.path().await, "/admin/tickets/1");
    browser.click("button[value=close]").await;
    assert!(browser.text(".message.good").await.contains("closed"));
    assert_eq!(ada.get("/tickets/1").await.expect(200)["state"], "closed");
    assert_eq!(browser.console_errors().await, Vec::<String>::new());
}
