//! What a product adds to the admin appears where Usher's own does, for those who may see it.

use axum::http::{Method, StatusCode, header};
use sea_orm::{ActiveModelTrait, ActiveValue::Set};
use usher_admin_engine::{Card, Page};
use usher_shared::foundation::{
    entity::{role, role_permission, user, user_role},
    time::now,
};
use usher_testkit::{TestDb, on_both};

use super::{Site, support};
use crate::models::{Roles, Users};
use crate::{Extension, check, paths};

const SQL: &str = include_str!("support/support.sql");

pub(super) async fn open(db: &TestDb) -> Site {
    Site::with(db, SQL, &support::extension()).await
}

impl Site {
    pub(super) async fn ask(&self, subject: &str) -> i64 {
        let at = now();
        let row = support::ActiveModel {
            subject: Set(subject.to_owned()),
            body: Set(String::new()),
            requester_id: Set(Some(self.user_id)),
            state: Set(support::TicketState::Open),
            version: Set(1),
            created_at: Set(at),
            updated_at: Set(at),
            ..Default::default()
        };
        row.insert(&self.state.db).await.expect("a ticket").id
    }

    /// From now on the person has these permissions and no others.
    pub(super) async fn only(&self, permissions: &[&str]) {
        let (db, at) = (&self.state.db, now());
        let person = user::ActiveModel {
            id: Set(self.user_id),
            is_superuser: Set(false),
            ..Default::default()
        };
        person.update(db).await.expect("an update");
        let role = role::ActiveModel {
            name: Set("Support".to_owned()),
            description: Set(String::new()),
            version: Set(1),
            created_at: Set(at),
            updated_at: Set(at),
            ..Default::default()
        };
        let role = role.insert(db).await.expect("a role").id;
        for permission in permissions {
            let row = role_permission::ActiveModel {
                role_id: Set(role),
                permission: Set((*permission).to_owned()),
            };
            row.insert(db).await.expect("a permission");
        }
        let row = user_role::ActiveModel {
            user_id: Set(self.user_id),
            role_id: Set(role),
        };
        row.insert(db).await.expect("a role of a user");
    }
}

/// The navigation's entries, each behind the heading of its section, if it is the first there.
fn navigation(page: &str) -> Vec<String> {
    let side = page.split("<nav class=\"side\"").nth(1).expect("a navigation");
    let side = side.split("</nav>").next().unwrap_or_default();
    let (_, side) = side.split_once("<ul>").unwrap_or_default();
    let pieces = side.split('>').filter_map(|piece| piece.split('<').next());
    pieces
        .map(str::trim)
        .filter(|text| !text.is_empty())
        .map(str::to_owned)
        .collect()
}

#[on_both]
async fn what_a_product_adds_stands_beside_what_usher_has(db: TestDb) {
    let site = open(&db).await;
    let id = site.ask("No <connection>").await;
    let (_, home) = site.get("/admin/").await;
    let navigation = navigation(&home);
    let first = [
        "Dashboard",
        "Support",
        "Tickets",
        "Tags",
        "Board",
        "Figures",
        "Reports",
        "People",
        "Users",
    ];
    assert_eq!(navigation[..9], first);
    assert!(home.contains("<path d=\"M3 4h14v9H8l-4 4V4z\"/>"), "an icon of its own");
    for figure in [
        "<strong>1</strong> <span>ticket</span>",
        "<li class=\"warning\"><div><strong>1</strong> <span>open</span>",
        "<li class=\"bad\"><div><strong>0</strong> <span>closed</span>",
    ] {
        assert!(home.contains(figure), "{figure}: {home}");
    }
    let user = format!("/admin/users/{}", site.user_id);
    for (path, holds) in [
        ("/admin/tickets", "No &#60;connection&#62;"),
        (user.as_str(), "id=\"tickets\">"),
        (user.as_str(), "No &#60;connection&#62;</a>"),
        (user.as_str(), "<h2>Support plan</h2>"),
        ("/admin/tickets/board", "No &#60;connection&#62;</a>"),
        ("/admin/tickets/board", "<p>Hello &#60;Ines Oduya&#62;</p>"),
        ("/admin/tickets/board", "<title>Board · "),
        ("/admin/reports", "<h1>Reports</h1>"),
        ("/admin/roles/new", "value=\"tickets.change\""),
        ("/admin/roles/new", "value=\"tickets.board\"> Board"),
        ("/admin/roles/new", "<th scope=\"row\" role=\"rowheader\">Reports</th>"),
        ("/admin/search?q=id:1", "Tickets"),
    ] {
        let (status, page) = site.get(path).await;
        assert!(
            status == StatusCode::OK && page.contains(holds),
            "{path}: {holds}: {page}"
        );
    }
    assert_eq!(
        site.get(&format!("/admin/tickets/{id}/print")).await.1,
        format!("Ticket {id}")
    );
    let (_, board) = site.get("/admin/tickets/board").await;
    assert_eq!(
        board.matches("aria-current=\"page\"").count(),
        2,
        "the board and its crumb, not the list"
    );
    let (_, roles) = site.get("/admin/roles/new").await;
    for once in [
        "value=\"tickets.view\"",
        "value=\"tickets.board\"",
        "value=\"reports.view\"",
        "value=\"users.import\"",
    ] {
        assert_eq!(roles.matches(once).count(), 1, "{once}");
    }
    assert!(roles.contains("value=\"users.close_tickets\"> Close tickets"));
    site.ask("Wrong bill").await;
    let (status, page) = site.post("/admin/tickets/board", &[]).await;
    assert_eq!(status, StatusCode::SEE_OTHER, "{page}");
    assert_eq!(site.stored(id).await.state, support::TicketState::Closed);
    site.ask("No connection again").await;
    let close = [
        ("action", "close_tickets"),
        ("id", &site.user_id.to_string()),
        ("_confirmed", "yes"),
    ];
    assert_eq!(site.post("/admin/users/actions", &close).await.0, StatusCode::SEE_OTHER);
    let (_, open) = site.get("/admin/tickets?state=open").await;
    assert!(open.contains("No tickets match"));
    assert!(paths(&site.state).contains(&"/admin/tickets/board".to_owned()));
}

#[on_both]
async fn a_products_page_panel_and_card_take_their_permission(db: TestDb) {
    let site = open(&db).await;
    let id = site.ask("No connection").await;
    let user = format!("/admin/users/{}", site.user_id);
    site.only(&["users.view", "reports.view"]).await;
    let (_, home) = site.get("/admin/").await;
    assert_eq!(
        navigation(&home),
        ["Dashboard", "Figures", "Reports", "People", "Users"]
    );
    assert!(!home.contains("<span>ticket</span>"));
    let (_, page) = site.get(&user).await;
    assert!(!page.contains("id=\"tickets\"") && !page.contains("Support plan"));
    let print = format!("/admin/tickets/{id}/print");
    for (path, expected) in [
        ("/admin/reports", StatusCode::OK),
        ("/admin/tickets/board", StatusCode::FORBIDDEN),
        (print.as_str(), StatusCode::FORBIDDEN),
    ] {
        assert_eq!(site.get(path).await.0, expected, "{path}");
    }
    assert_eq!(site.post("/admin/tickets/board", &[]).await.0, StatusCode::FORBIDDEN);
    assert_eq!(site.post("/admin/reports", &[]).await.0, StatusCode::METHOD_NOT_ALLOWED);
    let stranger = Site {
        cookie: String::new(),
        ..site
    };
    assert_eq!(
        stranger.get("/admin/reports").await.0,
        StatusCode::SEE_OTHER,
        "to sign in"
    );
}

#[on_both]
async fn logo_style_sheet_and_script_are_the_products(db: TestDb) {
    let site = open(&db).await;
    let stranger = Site {
        cookie: String::new(),
        ..site
    };
    let (_, page) = stranger.get("/admin/login").await;
    let (_, rest) = page.split_once("<img class=\"logo\" src=\"").expect("a logo");
    let href = rest.split('"').next().unwrap_or_default();
    assert!(page.contains(&format!("<link rel=\"icon\" href=\"{href}\">")));
    let file = async |href: &str| {
        let answer = stranger.answer(Method::GET, href, axum::body::Body::empty()).await;
        assert_eq!(answer.status(), StatusCode::OK, "{href}");
        answer.headers()[header::CONTENT_TYPE].to_str().unwrap().to_owned()
    };
    assert_eq!(file(href).await, "image/svg+xml");
    for (name, content_type) in [("app", "text/css; charset=utf-8"), ("admin", "text/css; charset=utf-8")] {
        let (_, rest) = page
            .split_once(&format!("href=\"/admin/assets/{name}."))
            .expect("a style sheet");
        let rest = rest.split('"').next().unwrap_or_default();
        assert_eq!(file(&format!("/admin/assets/{name}.{rest}")).await, content_type);
    }
    assert!(page.contains("<script src=\"/admin/assets/app."));
}

#[test]
fn what_is_registered_twice_is_refused_by_the_names_of_both_apps() {
    let page = |path, permission| Page::new(path, "Mine", permission, axum::routing::get(async || "mine"));
    let refused = |extension: &Extension| check(extension).unwrap_err();
    let mine = || Extension::new("mine");
    for (extension, expected) in [
        (
            mine().model::<Users>(),
            "the address /admin/users is registered by both mine and accounts",
        ),
        (
            support::extension().merge(mine().model::<support::Entity>()),
            "the address /admin/tickets is registered by both support and mine",
        ),
        (
            mine()
                .page(page("/admin/tickets/{number}/print", "a.b"))
                .merge(support::extension()),
            "the address /admin/tickets/{}/print is registered by both mine and support",
        ),
        (
            mine().page(page("/admin/roles", "a.b")),
            "the address /admin/roles is registered by both accounts and mine",
        ),
        (
            mine().page(page("/admin/roles/{name}/history", "a.b")),
            "the address /admin/roles/{}/history is registered by both accounts and mine",
        ),
        (
            mine().page(page("/admin/login/again", "a.b")),
            "the page /admin/login/again of mine: /admin/login belongs to accounts",
        ),
        (
            mine().page(page("/elsewhere", "a.b")),
            "the page /elsewhere of mine: its address must be /admin/ and a word",
        ),
        (
            mine().page(page("/admin/mine", "mine")),
            "the page /admin/mine of mine: mine is no permission, such as tickets.view",
        ),
        (
            mine().inline::<support::Entity, Roles>(role::Column::Id),
            "mine refers to the model tickets, which no app registers",
        ),
        (
            mine().inline_of::<Users>(support::closed_beside_users()),
            "the model users refers to the model tickets, which no app registers",
        ),
        (
            mine().action::<Users>(&support::CLOSE_ALL).merge(support::extension()),
            "the action users.close_tickets is there already, and registered by support",
        ),
        (
            support::extension().merge(mine().logo("image/png", b"")),
            "the logo is set by both support and mine",
        ),
    ] {
        assert_eq!(refused(&extension), expected);
    }
    let fits = support::extension()
        .inline_of::<Users>(support::closed_beside_users())
        .merge(
            mine()
                .page(page("/admin/roles/mine", "a.b"))
                .card(Card::new("Mine", "/admin/mine", "a.b")),
        );
    assert_eq!(check(&fits), Ok(()));
}
