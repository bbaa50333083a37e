//! A many-to-many relation in the form, the list, exports, filters and the audit log; and objects of a model that
//! declares no function for it, created and deleted.

use axum::http::StatusCode;
use sea_orm::{ActiveModelTrait, ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, QueryOrder};
use serde_json::{Value, json};
use usher_shared::foundation::entity::audit_log;
use usher_testkit::{TestDb, on_both};

use super::support::tag::{self, of_ticket};
use super::{Site, product::open, support};

impl Site {
    async fn tag(&self, name: &str) -> String {
        let row = tag::ActiveModel {
            name: Set(name.to_owned()),
            ..Default::default()
        };
        row.insert(&self.state.db).await.expect("a tag").id.to_string()
    }

    async fn tags_of(&self, ticket: i64) -> Vec<String> {
        let pairs = of_ticket::Entity::find()
            .filter(of_ticket::Column::TicketId.eq(ticket))
            .order_by_asc(of_ticket::Column::TagId);
        let pairs = pairs.all(&self.state.db).await.expect("pairs");
        pairs.iter().map(|pair| pair.tag_id.to_string()).collect()
    }

    pub(super) async fn stored(&self, ticket: i64) -> support::Ticket {
        let row = support::Entity::find_by_id(ticket).one(&self.state.db).await;
        row.expect("an answer").expect("a ticket")
    }

    /// Saves the ticket with these tags and its stored values.
    async fn save(&self, ticket: i64, tags: &[&str]) -> (StatusCode, String) {
        let stored = self.stored(ticket).await;
        let version = stored.version.to_string();
        let requester = stored.requester_id.map(|id| id.to_string()).unwrap_or_default();
        let mut fields = vec![
            ("subject", stored.subject.as_str()),
            ("body", ""),
            ("state", "open"),
            ("requester_id", &requester),
            ("version", &version),
        ];
        fields.extend(tags.iter().map(|tag| ("tags", *tag)));
        self.post(&format!("/admin/tickets/{ticket}"), &fields).await
    }

    async fn last_entry(&self) -> (String, Value) {
        let last = audit_log::Entity::find()
            .order_by_desc(audit_log::Column::Id)
            .one(&self.state.db)
            .await;
        let last = last.expect("an answer").expect("an entry");
        (last.action, last.changes.unwrap_or_default())
    }
}

/// Values and labels of the checked options of a field, and of the others.
fn options(page: &str) -> [Vec<String>; 2] {
    let field = page.split("id=\"field-tags\"").nth(1).expect("the field");
    let field = field.split("</fieldset>").next().unwrap_or_default();
    let options = field.split("type=\"checkbox\" name=\"tags\" value=\"").skip(1);
    let (checked, others): (Vec<_>, Vec<_>) = options.partition(|option| option.contains("\" checked>"));
    [checked, others].map(|some| {
        let label = |option: &&str| option.split("<span>").nth(1)?.split('<').next().map(str::to_owned);
        some.iter().filter_map(label).collect()
    })
}

#[on_both]
async fn related_objects_are_checked_saved_listed_exported_and_filtered(db: TestDb) {
    let site = open(&db).await;
    let (billing, urgent, vip) = (
        site.tag("billing").await,
        site.tag("<urgent>").await,
        site.tag("vip").await,
    );
    let (ticket, other) = (site.ask("No connection").await, site.ask("Wrong bill").await);
    let here = format!("/admin/tickets/{ticket}");
    let (_, page) = site.get(&here).await;
    assert_eq!(
        options(&page),
        [
            vec![],
            vec!["&#60;urgent&#62;".to_owned(), "billing".to_owned(), "vip".to_owned()]
        ]
    );

    let (status, page) = site.save(ticket, &["", &vip, &urgent]).await;
    assert_eq!(status, StatusCode::SEE_OTHER, "{page}");
    assert_eq!(site.tags_of(ticket).await, [urgent.clone(), vip.clone()]);
    assert_eq!(site.stored(ticket).await.version, 2, "so that a stale form is noticed");
    let (action, changes) = site.last_entry().await;
    assert_eq!(action, "update");
    assert_eq!(changes["tags"], json!([null, "<urgent>, vip"]));

    site.save(ticket, &["", &urgent, &billing]).await;
    assert_eq!(site.tags_of(ticket).await, [billing.clone(), urgent.clone()]);
    assert_eq!(site.last_entry().await.1, json!({ "tags": ["vip", "billing"] }));
    let (_, history) = site.get(&format!("{here}/history")).await;
    assert!(history.contains("<th scope=\"row\">Tags</th><td><del>vip</del></td><td><ins>billing</ins></td>"));

    let entries = audit_log::Entity::find().all(&site.state.db).await.unwrap().len();
    let (status, _) = site.save(ticket, &["", &urgent, &billing]).await;
    assert_eq!(
        (status, site.stored(ticket).await.version),
        (StatusCode::SEE_OTHER, 3),
        "nothing to save"
    );
    site.save(ticket, &[]).await;
    assert_eq!(
        site.tags_of(ticket).await,
        [billing.clone(), urgent.clone()],
        "a form without the field"
    );
    assert_eq!(
        audit_log::Entity::find().all(&site.state.db).await.unwrap().len(),
        entries
    );

    let (_, list) = site.get("/admin/tickets").await;
    assert!(list.contains("<span>&#60;urgent&#62;, billing</span>"), "{list}");
    let (_, tagged) = site.get(&format!("/admin/tickets?tag={billing}")).await;
    assert!(tagged.contains("No connection") && !tagged.contains("Wrong bill"));
    let (_, csv) = site.get("/admin/tickets/export.csv").await;
    let lines: Vec<_> = csv.lines().collect();
    assert!(
        lines[0].ends_with(",tags") && lines[1].ends_with(",\"<urgent>, billing\""),
        "{csv}"
    );
    assert!(lines[2].ends_with(','), "{csv}");
    let (_, exported) = site.get("/admin/tickets/export.json").await;
    let exported: Value = serde_json::from_str(&exported).unwrap();
    assert_eq!(exported[0]["tags"], json!(["<urgent>", "billing"]));
    assert_eq!(exported[1]["tags"], json!([]));
    let (_, one) = site.get(&format!("{here}/export.json")).await;
    assert_eq!(
        serde_json::from_str::<Value>(&one).unwrap()["ticket"]["tags"],
        exported[0]["tags"]
    );

    let fields = [
        ("subject", "No connection"),
        ("state", "open"),
        ("version", "1"),
        ("tags", ""),
        ("tags", &vip),
    ];
    let (status, page) = site.post(&here, &fields).await;
    assert_eq!(status, StatusCode::CONFLICT);
    let both = "<th scope=\"row\">Tags</th><td><span>&#60;urgent&#62;, billing</span></td><td>vip</td>";
    assert!(page.contains(both), "both versions: {page}");

    for wrong in ["999", "x", "'"] {
        let (status, page) = site.save(other, &["", &billing, wrong]).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{wrong}");
        assert!(page.contains("No tag has the ID"), "{page}");
        assert_eq!(options(&page)[0], ["billing"], "what was checked is kept");
    }
    assert_eq!(site.tags_of(other).await, [""; 0]);
    site.save(ticket, &[""]).await;
    assert_eq!(site.tags_of(ticket).await, [""; 0], "all unchecked");
}

#[on_both]
async fn many_objects_are_chosen_by_their_ids(db: TestDb) {
    let site = open(&db).await;
    let mut tags = vec![];
    for number in 0..60 {
        tags.push(site.tag(&format!("tag {number:02}")).await);
    }
    let ticket = site.ask("No connection").await;
    let here = format!("/admin/tickets/{ticket}");
    let (_, page) = site.get(&here).await;
    assert_eq!(options(&page), [vec![""; 0], vec![]]);
    assert!(page.contains("data-suggest=\"/admin/tags/autocomplete\""));

    let typed = format!("{}, {} {}", tags[55], tags[3], tags[57]);
    site.save(ticket, &["", &typed]).await;
    assert_eq!(
        site.tags_of(ticket).await,
        [tags[3].clone(), tags[55].clone(), tags[57].clone()]
    );
    let (_, page) = site.get(&here).await;
    assert_eq!(
        options(&page),
        [
            vec!["tag 03".to_owned(), "tag 55".to_owned(), "tag 57".to_owned()],
            vec![]
        ]
    );

    site.save(ticket, &["", &tags[55], &tags[58]]).await;
    assert_eq!(site.tags_of(ticket).await, [tags[55].clone(), tags[58].clone()]);
    let (status, page) = site.save(ticket, &["", &tags[55], &format!("{} 999", tags[1])]).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(page.contains("name=\"tags\" type=\"text\" value=\"999\""), "{page}");
    assert_eq!(options(&page)[0], ["tag 01", "tag 55"]);

    let all: Vec<_> = std::iter::once("").chain(tags.iter().map(String::as_str)).collect();
    site.save(ticket, &all).await;
    let (_, list) = site.get("/admin/tickets").await;
    assert!(
        list.contains("<span>tag 00, tag 01, tag 02, tag 03, tag 04, …</span>"),
        "{list}"
    );
}

#[on_both]
async fn a_page_takes_as_many_statements_however_much_is_related(db: TestDb) {
    let site = open(&db).await;
    let ticket = site.ask("No connection").await;
    let pages = [
        "/admin/tickets".to_owned(),
        format!("/admin/tickets/{ticket}"),
        "/admin/tickets/new".to_owned(),
    ];
    let count = async || {
        let mut counts = vec![];
        for page in &pages {
            drop(site.statements.take());
            assert_eq!(site.get(page).await.0, StatusCode::OK);
            counts.push(site.statements.take().len());
        }
        counts
    };
    let before = count().await;
    let mut tags = vec![String::new()];
    for number in 0..60 {
        tags.push(site.tag(&format!("tag {number}")).await);
    }
    let tags: Vec<_> = tags.iter().map(String::as_str).collect();
    for _ in 0..30 {
        let ticket = site.ask("No connection").await;
        site.save(ticket, &tags).await;
    }
    site.save(ticket, &tags).await;
    assert_eq!(count().await, before);
    assert_eq!(before, [5, 4, 2]);
}

#[on_both]
async fn a_relation_takes_the_permission_of_its_other_side(db: TestDb) {
    let site = open(&db).await;
    let (billing, vip) = (site.tag("billing").await, site.tag("vip").await);
    let ticket = site.ask("No connection").await;
    site.save(ticket, &["", &billing]).await;
    site.only(&["tickets.view", "tickets.change", "tickets.export"]).await;
    let here = format!("/admin/tickets/{ticket}");
    for path in [
        here.as_str(),
        "/admin/tickets",
        "/admin/tickets/export.csv",
        "/admin/tickets/export.json",
    ] {
        let (status, page) = site.get(path).await;
        assert!(
            status == StatusCode::OK && !page.contains("billing") && !page.contains("tags"),
            "{path}: {page}"
        );
    }
    site.save(ticket, &["", &vip]).await;
    assert_eq!(site.tags_of(ticket).await, [billing]);
    assert_eq!(site.get("/admin/tickets?tag=1").await.0, StatusCode::FORBIDDEN);
}

#[on_both]
async fn an_object_is_created_and_deleted_without_a_function_for_it(db: TestDb) {
    let site = open(&db).await;
    let vip = site.tag("vip").await;
    let (_, page) = site.get("/admin/tickets/new").await;
    assert_eq!(options(&page), [vec![], vec!["vip".to_owned()]]);
    assert!(!page.contains("name=\"created_at\"") && !page.contains("name=\"version\""));
    let requester = site.user_id.to_string();
    let fields = [
        ("subject", "No connection"),
        ("body", "Since noon"),
        ("state", "open"),
        ("requester_id", requester.as_str()),
        ("tags", ""),
        ("tags", vip.as_str()),
    ];
    let (status, page) = site.post("/admin/tickets/new", &fields).await;
    assert_eq!(status, StatusCode::SEE_OTHER, "{page}");
    let ticket = support::Entity::find().one(&site.state.db).await.unwrap().unwrap();
    assert_eq!((ticket.subject.as_str(), ticket.version), ("No connection", 1));
    assert_eq!(
        (ticket.requester_id, ticket.created_at),
        (Some(site.user_id), ticket.updated_at)
    );
    assert_eq!(site.tags_of(ticket.id).await, [vip]);
    let (action, changes) = site.last_entry().await;
    let expected = json!({
        "subject": [null, "No connection"],
        "body": [null, "Since noon"],
        "state": [null, "open"],
        "requester_id": [null, requester],
        "tags": [null, "vip"],
    });
    assert_eq!((action.as_str(), changes), ("create", expected));

    let wrong = [
        ("subject", "Wrong"),
        ("body", "Since noon"),
        ("state", "open"),
        ("requester_id", "999"),
        ("tags", "7"),
    ];
    let (status, page) = site.post("/admin/tickets/new", &wrong).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    for message in ["No user has this ID", "No tag has the ID 7"] {
        assert!(page.contains(message), "{message}: {page}");
    }
    let twice = site.post("/admin/tags/new", &[("name", "vip")]).await;
    assert!(
        twice.0 == StatusCode::UNPROCESSABLE_ENTITY && twice.1.contains("This is already taken"),
        "{}",
        twice.1
    );

    let id = ticket.id.to_string();
    let delete = [("action", "delete"), ("id", id.as_str()), ("_confirmed", "yes")];
    assert_eq!(
        site.post("/admin/tickets/actions", &delete).await.0,
        StatusCode::SEE_OTHER
    );
    assert_eq!(support::Entity::find().one(&site.state.db).await.unwrap(), None);
}
