//! Attachments: who may send and read them, and what becomes of them.

use helpdesk::project;
use serde_json::json;
use usher_test::{TestDb, TestProject, on_both};

#[on_both]
async fn files_belong_to_a_ticket_and_go_with_it(db: TestDb) {
    let helpdesk = TestProject::open(project(), db).await;
    let ada = helpdesk.person("Ada Lovelace", "ada@example.org").await;
    let grace = helpdesk.person("Grace Hopper", "grace@example.org").await;
    ada.post("/tickets", &json!({"subject": "Help", "body": "See the file"}))
        .await
        .expect(201);
    let (path, text) = ("/tickets/1/attachments", "text/plain");
    let attached = ada.upload(path, "notes.txt", text, "It is stuck").await.expect(201);
    assert_eq!(
        (&attached["name"], &attached["size"]),
        (&json!("notes.txt"), &json!(11))
    );
    grace.upload(path, "notes.txt", text, "Not mine").await.expect(404);
    ada.upload(path, "page.html", "text/html", "<html>").await.expect(422);

    assert_eq!(ada.get("/attachments/1").await.text(), "It is stuck");
    grace.get("/attachments/1").await.expect(404);
    assert_eq!(grace.get(path).await.expect(404)["code"], "not_found");
    let staff = helpdesk.superuser().await;
    assert!(staff.get("/admin/tickets/1").await.expect(200).contains("notes.txt"));
    assert_eq!(staff.get("/admin/attachments/1").await.expect(200).html, "It is stuck");

    assert_eq!(helpdesk.app.files.sweep().await.expect("a sweep"), 0);
    let delete = [("action", "delete"), ("id", "1"), ("_confirmed", "yes")];
    staff
        .submit("/admin/tickets", "/admin/tickets/actions", &delete)
        .await
        .expect(303);
    assert_eq!(helpdesk.app.files.sweep().await.expect("a sweep"), 1);
}
