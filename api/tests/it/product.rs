//! What a product adds: its resource has what Usher's own have.

pub mod tickets;

use axum::http::StatusCode;
use sea_orm::{ActiveModelTrait, ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, QueryOrder};
use serde_json::{Value, json};
use usher_api::{AppState, openapi_with, router_with};
use usher_shared::foundation::entity::audit_log;
use usher_testkit::{TestDb, create_tables, on_both};

use crate::app::{Client, TestApp};
use tickets::{READ, WRITE, tag};

async fn start(db: TestDb) -> TestApp {
    let mut app = TestApp::start(db).await;
    create_tables(&app.context.db, tickets::SQL).await;
    app.router = router_with(AppState::new(&app.context), &tickets::extension());
    app
}

/// Opens a ticket and returns its id.
async fn open(service: &Client, requester_id: i64, more: &Value) -> i64 {
    let mut ticket = json!({
        "subject": "The lamp is out", "body": "Since Monday.\r\nIn the hall.", "state": "open",
        "requester_id": requester_id,
    });
    for (name, value) in more.as_object().expect("fields") {
        ticket[name] = value.clone();
    }
    let answer = service.post("/tickets", &ticket).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text());
    answer.json()["id"].as_i64().expect("an id")
}

async fn ids(client: &Client, query: &str) -> Vec<i64> {
    let answer = client.get(&format!("/tickets?{query}")).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    let page = answer.json();
    let rows = page["data"].as_array().expect("rows").iter();
    rows.map(|row| row["id"].as_i64().expect("an id")).collect()
}

#[on_both]
async fn a_body_becomes_a_row_and_a_row_an_answer(db: TestDb) {
    let app = start(db).await;
    let (service, ada) = (app.key(&[READ, WRITE]).await, app.member("ada@example.com").await);
    let due = "2026-12-01T12:00:00.000000Z";
    let id = open(&service, ada.id, &json!({ "subject": " Dark ", "due_at": due })).await;
    let expected = json!({
        "id": id, "subject": "Dark", "body": "Since Monday.\nIn the hall.", "state": "open", "requester_id": ada.id,
        "due_at": due, "tags": [],
    });
    let answer = service.get(&format!("/tickets/{id}")).await;
    assert_eq!((answer.json(), answer.header("etag")), (expected.clone(), "\"1\""));
    let again = service.clone().with("if-none-match", "\"1\"");
    let again = again.get(&format!("/tickets/{id}")).await;
    assert_eq!((again.status, again.body.len()), (StatusCode::NOT_MODIFIED, 0));
    assert_eq!(service.get("/tickets").await.json()["data"], json!([expected]));
}

#[on_both]
async fn every_fault_of_a_body_is_listed_by_its_field(db: TestDb) {
    let app = start(db).await;
    let service = app.key(&[WRITE]).await;
    let faulty = json!({ "subject": "", "body": "a\u{7}", "state": "broken", "requester_id": "7", "due_at": "soon" });
    let answer = service.post("/tickets", &faulty).await;
    let expected = [
        ("string_too_short", "subject"),
        ("value_error", "body"),
        ("enum", "state"),
        ("int_type", "requester_id"),
        ("datetime_parsing", "due_at"),
    ];
    let expected = expected.map(|(kind, field)| (kind.to_owned(), json!(["body", field])));
    assert_eq!(answer.faults(), expected);
    let nobody = json!({ "subject": "Lost", "body": "Lost", "state": "open", "requester_id": 99 });
    let refused = service.post("/tickets", &nobody).await;
    assert_eq!(
        refused.faults(),
        [("value_error".to_owned(), json!(["body", "requester_id"]))]
    );
    let message = &answer.json()["detail"][2]["msg"];
    assert_eq!(message, "Use one of open, waiting_for_user, closed");
}

#[on_both]
async fn null_where_a_value_is_required_is_named_as_what_it_is(db: TestDb) {
    let app = start(db).await;
    let (service, ada) = (app.key(&[READ, WRITE]).await, app.member("ada@example.com").await);
    let nulls = json!({ "subject": null, "body": null, "state": null, "requester_id": null, "due_at": null });
    let said = async |path: &str| {
        let problem = match path {
            "/tickets" => service.post(path, &nulls).await,
            _ => service.patch(path, &nulls).await,
        };
        let problem = problem.is(422, "invalid_request").json();
        let faults = problem["detail"].as_array().expect("faults").iter();
        let said: Vec<_> = faults
            .map(|fault| fault["msg"].as_str().expect("a text").to_owned())
            .collect();
        said
    };
    let cannot = |name: &str| format!("The field {name} can't be null");
    let required = ["subject", "body", "state", "requester_id"].map(cannot);
    assert_eq!(said("/tickets").await, required);
    let id = open(&service, ada.id, &json!({})).await;
    assert_eq!(said(&format!("/tickets/{id}")).await, required[..3]);
}

#[on_both]
async fn a_patch_changes_what_it_names(db: TestDb) {
    let app = start(db).await;
    let (service, ada) = (app.key(&[READ, WRITE]).await, app.member("ada@example.com").await);
    let id = open(&service, ada.id, &json!({ "due_at": "2026-12-01T12:00:00Z" })).await;
    let path = format!("/tickets/{id}");
    let same = service.patch(&path, &json!({ "state": "open" })).await;
    assert_eq!((same.status, same.header("etag")), (StatusCode::OK, "\"1\""));
    let changed = service
        .patch(&path, &json!({ "state": "closed", "due_at": null }))
        .await;
    let ticket = changed.json();
    assert_eq!(
        (&ticket["state"], &ticket["due_at"], &ticket["subject"]),
        (&json!("closed"), &json!(null), &json!("The lamp is out"))
    );
    assert_eq!(changed.header("etag"), "\"2\"");
    let entries = audit_log::Entity::find().filter(audit_log::Column::ObjectType.eq("ticket"));
    let entries = entries
        .order_by_asc(audit_log::Column::Id)
        .all(&app.context.db)
        .await
        .expect("entries");
    let actions: Vec<_> = entries.iter().map(|entry| &*entry.action).collect();
    assert_eq!(actions, ["create", "update"]);
    assert_eq!(
        entries[1].changes.as_ref().expect("changes")["state"],
        json!(["open", "closed"])
    );
    assert_eq!(entries[1].object_id, Some(id.to_string()));
    let late = service.clone().with("if-match", "\"1\"");
    late.patch(&path, &json!({})).await.is(412, "precondition_failed");
    let closed = service.patch(&path, &json!({})).await;
    let explained = service.get("/problems/ticket_closed").await;
    assert!(
        closed.is(409, "ticket_closed").json()["type"]
            .as_str()
            .unwrap()
            .ends_with("/problems/ticket_closed")
    );
    assert_eq!(explained.json()["title"], "Ticket closed");
    service.patch("/tickets/99", &json!({})).await.is(404, "not_found");
}

#[on_both]
async fn a_key_sees_all_rows_and_a_user_their_own(db: TestDb) {
    let app = start(db).await;
    let service = app.key(&[READ, WRITE]).await;
    let (ada, eve) = (app.person("ada@example.com").await, app.person("eve@example.com").await);
    let (hers, other) = (
        open(&service, ada.id, &json!({})).await,
        open(&service, eve.id, &json!({})).await,
    );
    assert_eq!(ids(&service, "").await, [other, hers]);
    assert_eq!(ids(&ada.client, "").await, [hers]);
    assert_eq!(ids(&eve.client, &format!("requester_id={}", ada.id)).await, [0_i64; 0]);
    assert_eq!(ada.client.get(&format!("/tickets/{hers}")).await.status, StatusCode::OK);
    ada.client.get(&format!("/tickets/{other}")).await.is(404, "not_found");
    app.anonymous().get("/tickets").await.is(401, "authentication_required");
    let refused = app.key(&[WRITE]).await.get("/tickets").await;
    assert!(
        refused
            .is(403, "insufficient_scope")
            .header("www-authenticate")
            .contains("tickets:read")
    );
}

#[on_both]
async fn a_list_is_sorted_and_filtered_by_its_columns_and_filled_by_one_query(db: TestDb) {
    let app = start(db).await;
    let (service, ada) = (app.key(&[READ, WRITE]).await, app.member("ada@example.com").await);
    let mut all = vec![];
    for (state, due_at) in [
        ("open", Some("2026-12-03T00:00:00Z")),
        ("closed", None),
        ("open", Some("2026-12-01T00:00:00Z")),
    ] {
        all.push(open(&service, ada.id, &json!({ "state": state, "due_at": due_at })).await);
        let row = tag::ActiveModel {
            ticket_id: Set(all[0]),
            word: Set(format!("tag {}", all.len())),
            ..Default::default()
        };
        row.insert(&app.context.db).await.expect("a tag");
    }
    assert_eq!(ids(&service, "sort=due_at").await, [all[2], all[0], all[1]]);
    assert_eq!(ids(&service, "state=open&sort=id").await, [all[0], all[2]]);
    let faults = service.get("/tickets?state=lost&sort=subject").await.faults();
    assert_eq!(
        faults.iter().map(|(kind, _)| &**kind).collect::<Vec<_>>(),
        ["enum", "enum"]
    );

    app.take_statements();
    let page = service.get("/tickets?sort=id").await.json();
    let asked = app.take_statements();
    let asked = asked
        .iter()
        .filter(|statement| statement.contains("ticket_tags"))
        .count();
    assert_eq!(
        (&page["data"][0]["tags"], asked),
        (&json!(["tag 1", "tag 2", "tag 3"]), 1)
    );
    assert_eq!(page["data"][1]["tags"], json!([]));

    let first = service.get("/tickets?limit=2&sort=due_at").await;
    assert!(
        first
            .header("link")
            .starts_with("</tickets?limit=2&sort=due_at&cursor="),
        "{}",
        first.header("link")
    );
    let cursor = first.json()["next_cursor"].as_str().expect("a cursor").to_owned();
    assert_eq!(
        ids(&service, &format!("limit=2&sort=due_at&cursor={cursor}")).await,
        [all[1]]
    );
}

#[test]
fn the_document_says_what_the_signatures_say() {
    let document = serde_json::to_value(openapi_with(&tickets::extension())).expect("JSON");
    let list = &document["paths"]["/tickets"]["get"];
    assert_eq!(
        (&list["operationId"], &list["summary"], &list["tags"]),
        (&json!("listTickets"), &json!("List tickets"), &json!(["Tickets"]))
    );
    assert_eq!(
        list["security"],
        json!([{ "apiKey": ["tickets:read"] }, { "accessToken": [] }])
    );
    let names = |operation: &Value| -> Vec<String> {
        let parameters = operation["parameters"].as_array().expect("parameters").iter();
        parameters
            .map(|parameter| parameter["name"].as_str().unwrap_or("$ref").to_owned())
            .collect()
    };
    assert_eq!(
        names(list),
        ["requester_id", "state", "sort", "limit", "cursor", "count"]
    );
    assert_eq!(
        list["parameters"][1]["schema"]["enum"],
        json!(["open", "waiting_for_user", "closed"])
    );
    assert_eq!(list["parameters"][2]["schema"]["pattern"], "^-?(id|due_at)$");
    let schema = |answer: &Value| answer["content"]["application/json"]["schema"]["$ref"].clone();
    assert_eq!(schema(&list["responses"]["200"]), "#/components/schemas/List_Ticket");
    assert!(list["responses"]["200"]["headers"]["Link"].is_object());

    let update = &document["paths"]["/tickets/{id}"]["patch"];
    assert_eq!(names(update), ["id", "If-Match", "$ref"]);
    assert_eq!(update["responses"]["200"]["description"], "The ticket as it is now");
    let conflict = &update["responses"]["409"]["content"]["application/json"]["examples"];
    assert!(conflict["ticket_closed"].is_object() && conflict["idempotency_in_progress"].is_object());
    let statuses: Vec<_> = update["responses"].as_object().expect("answers").keys().collect();
    let expected = [
        "200", "400", "401", "403", "404", "408", "409", "412", "413", "415", "422", "429", "500", "503",
    ];
    assert_eq!(statuses, expected);

    let schemas = &document["components"]["schemas"];
    assert_eq!(
        schemas["NewTicket"]["required"],
        json!(["subject", "body", "state", "requester_id"])
    );
    assert_eq!(schemas["TicketPatch"]["required"], json!(null));
    assert!(schemas["TicketPatch"]["properties"]["requester_id"].is_null());
    assert_eq!(
        schemas["TicketPatch"]["properties"]["due_at"]["type"],
        json!(["string", "null"])
    );
    assert_eq!(
        schemas["TicketState"]["enum"],
        json!(["open", "waiting_for_user", "closed"])
    );
    assert_eq!(document["info"]["title"], "Helpdesk");
    assert_eq!(tickets::extension().check(), Ok(()));
}
