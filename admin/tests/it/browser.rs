//! The admin in a real browser: with the network cut, without JavaScript, narrow and dark.

use std::io::Read;

use flate2::read::GzDecoder;
use sea_orm::{ActiveModelTrait, ActiveValue::Set, ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter};
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use usher_shared::{
    accounts::{
        api_keys::{self, Scope},
        staff::{imports, roles},
        users::{self, StatusChange},
    },
    audit::{self, Actor, Entry},
    foundation::{
        entity::{
            job::{self, JobState},
            mail,
            session::{self, SessionKind},
        },
        rules::Reason,
        time::now,
    },
    jobs::{Schedule, VerifyEmail, mail_suppressions},
};
use usher_testkit::{Browser, ColorScheme, TestDb};

use crate::{
    app::{ADMIN, PASSWORD, TestApp},
    mfa::code,
};

pub async fn serve(app: &TestApp) -> (String, CancellationToken) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let base = format!("http://{}", listener.local_addr().expect("an address"));
    let (context, stop) = (app.context.clone(), CancellationToken::new());
    let stopped = stop.clone();
    tokio::spawn(async move { usher_admin::serve(&context, listener, stopped).await });
    (base, stop)
}

pub async fn sign_in(browser: &Browser, base: &str) {
    browser.goto(&format!("{base}/admin/")).await;
    browser.fill("#email", ADMIN).await;
    browser.fill("#password", PASSWORD).await;
    browser.click(".gate-card button.primary").await;
    browser.text("nav.side").await; // the page after it has come
}

/// Something of everything, and the pages that show it: a name for each, and its address.
async fn furnished(app: &TestApp) -> Vec<(&'static str, String)> {
    let long = "ada.with.a.rather.long.address@department.university.example.org";
    let ada = app.add_user(long, "Ada Lovelace").await;
    for (number, name) in [
        "Grace Hopper",
        "Alan Turing",
        "Edsger Dijkstra",
        "Barbara Liskov",
        "Donald Knuth",
    ]
    .iter()
    .enumerate()
    {
        app.add_user(&format!("person{number}@example.org"), name).await;
    }
    let sam = app
        .add_staff(
            "sam@example.org",
            &["users.view", "users.change", "jobs.view", "jobs.retry"],
        )
        .await;
    let role = roles::of_user(&app.context.db, sam.id)
        .await
        .expect("a query")
        .first()
        .copied()
        .expect("a role");
    let tx = app.context.job_store.begin().await.expect("a transaction");
    let user = users::find_for_change(&tx, ada.id)
        .await
        .expect("a query")
        .expect("a user");
    let reason = Reason::parse("Sends adverts to everybody").ok();
    let locked = StatusChange::Locked {
        until: "2099-01-01T00:00:00Z".parse().ok(),
    };
    users::change_status(&tx, user, locked, reason, &Actor::system())
        .await
        .expect("a lock");
    tx.commit().await.expect("a commit");
    // What has no blank to break at.
    let unbroken = "w".repeat(400);
    let session = session::ActiveModel {
        id: Set(uuid::Uuid::now_v7()),
        user_id: Set(ada.id),
        kind: Set(SessionKind::Api),
        token_hash: Set(vec![7; 32]),
        user_agent: Set(Some(unbroken.clone())),
        created_at: Set(now()),
        last_seen_at: Set(now()),
        expires_at: Set(now()),
        ended_at: Set(Some(now())),
        ..Default::default()
    };
    session::Entity::insert(session)
        .exec_without_returning(&app.context.db)
        .await
        .expect("a session");
    let entry = Entry {
        action: "update",
        object_type: "user",
        object_id: Some(ada.id.to_string()),
        object_label: Some(unbroken.clone()),
        changes: Some(serde_json::json!({ "name": [unbroken, unbroken] })),
        reason: Some(unbroken.clone()),
    };
    audit::record(&app.context.db, &Actor::system(), entry)
        .await
        .expect("an entry");
    let (key, _) = api_keys::create(
        &app.context.db,
        "Billing",
        &[Scope::USERS_READ],
        None,
        Some(app.admin.id),
    )
    .await
    .expect("a key");
    let schedule = Schedule::new("nightly", "0 3 * * *", &VerifyEmail { user_id: 1 });
    app.context.job_store.declare(&[schedule]).await.expect("a schedule");
    mail_suppressions::add(&app.context.db, "gone@example.org", "550 5.1.1 no such user", None)
        .await
        .expect("a row");
    let job = job::Entity::find()
        .one(&app.context.db)
        .await
        .expect("a query")
        .expect("a job");
    let job = job::ActiveModel {
        state: Set(JobState::Dead),
        finished_at: Set(Some(now())),
        last_error: Set(Some("550 5.7.1 refused".to_owned())),
        ..job.into_active_model()
    };
    let job = job.update(&app.context.db).await.expect("an update");
    let user = format!("/admin/users/{}", ada.id);
    vec![
        ("dashboard", "/admin/".to_owned()),
        ("users", "/admin/users".to_owned()),
        ("users-filtered", "/admin/users?status=locked&_facets=yes".to_owned()),
        ("users-none", "/admin/users?q=nobody".to_owned()),
        ("user-new", "/admin/users/new".to_owned()),
        ("user-history", format!("{user}/history")),
        (
            "user-lock",
            format!("/admin/users/actions?action=lock&id={0}&from_object={0}", ada.id),
        ),
        (
            "user-roles",
            format!("/admin/users/actions?action=set_roles&id={0}&from_object={0}", sam.id),
        ),
        (
            "user-impersonate",
            format!("/admin/users/actions?action=impersonate&id={0}&from_object={0}", 3),
        ),
        ("import", "/admin/users/import".to_owned()),
        ("import-underway", import(app, JobState::Ready, Value::Null).await),
        (
            "import-refused",
            import(app, JobState::Done, serde_json::json!({"refused": "the file is empty"})).await,
        ),
        ("import-checked", import(app, JobState::Done, checked()).await),
        ("user-delete", format!("{user}/delete")),
        ("user", user),
        ("roles", "/admin/roles".to_owned()),
        ("role-delete", format!("/admin/roles/{role}/delete")),
        ("role", format!("/admin/roles/{role}")),
        ("api-keys", "/admin/api_keys".to_owned()),
        ("api-key", format!("/admin/api_keys/{}", key.id)),
        ("sessions", "/admin/sessions".to_owned()),
        ("jobs", "/admin/jobs".to_owned()),
        ("jobs-overview", "/admin/jobs/overview".to_owned()),
        ("job", format!("/admin/jobs/{}", job.id)),
        ("schedules", "/admin/schedules".to_owned()),
        ("queues", "/admin/queues".to_owned()),
        ("queue-new", "/admin/queues/new?name=mail".to_owned()),
        ("api-key-new", "/admin/api_keys/new".to_owned()),
        ("mails", "/admin/mails".to_owned()),
        ("suppressions", "/admin/suppressions".to_owned()),
        ("breakers", "/admin/breakers".to_owned()),
        ("audit", "/admin/audit".to_owned()),
        ("search", "/admin/search?q=ada".to_owned()),
        ("account", "/admin/account".to_owned()),
        ("second-factor", "/admin/mfa/enrol".to_owned()),
        ("reauthenticate", "/admin/reauthenticate?next=/admin/".to_owned()),
        ("not-found", "/admin/users/999999".to_owned()),
    ]
}

/// A dry run of an import at this stage; its page.
async fn import(app: &TestApp, state: JobState, result: Value) -> String {
    let tx = app.context.job_store.begin().await.expect("a transaction");
    let id = imports::check(&tx, "people.csv", b"email,name", imports::Blank::Keep, &Actor::system())
        .await
        .expect("a job");
    tx.commit().await.expect("a commit");
    let job = job::Entity::find_by_id(id)
        .one(&app.context.db)
        .await
        .expect("a query")
        .expect("a job");
    let row = job::ActiveModel {
        state: Set(state),
        progress: Set(Some(40)),
        result: Set(Some(result)),
        ..job.into_active_model()
    };
    row.update(&app.context.db).await.expect("an update");
    format!("/admin/users/import/{id}")
}

fn checked() -> Value {
    let faults = [(7, "The name is missing"), (19, "an earlier line has the same address")];
    serde_json::json!({
        "rows": 1240, "new": 1180, "changed": 52, "unchanged": 6, "faulty": 2, "file": uuid::Uuid::nil(),
        "faults": faults.map(|(line, fault)| serde_json::json!({"line": line, "fault": fault})),
    })
}

/// The rules of axe-core that the page breaks, and where.
async fn violations(browser: &Browser) -> Value {
    const AXE: &[u8] = include_bytes!("../axe/axe.min.js.gz");
    let mut axe = String::new();
    GzDecoder::new(AXE).read_to_string(&mut axe).expect("gzip");
    browser
        .script(&format!(
            "{axe};
             const where = (v) => v.id + ': ' + v.nodes.map((n) => n.target.join(' ') + ' (' + n.failureSummary.split('\\n').slice(1).join(' ').trim() + ')').join(' | ');
             // A colour that is still on its way to another is nobody's choice.
             return Promise.allSettled(document.getAnimations().map((a) => a.finished))
                 .then(() => axe.run(document, {{ resultTypes: ['violations'] }})).then((r) => r.violations.map(where));"
        ))
        .await
}

/// What is wrong with a page, if anything is.
async fn found(browser: &Browser, what: &str) -> Option<String> {
    let found = violations(browser).await;
    (found != serde_json::json!([])).then(|| format!("{what}: {found}"))
}

/// Says so when a page has to be scrolled sideways, or something of it is cut off or gone.
async fn too_wide(browser: &Browser, what: &str) -> Option<String> {
    const SOUGHT: &str = "
        document.querySelectorAll('details.filters').forEach((filters) => { filters.open = true; });
        const root = document.documentElement, wrong = [];
        if (root.scrollWidth !== root.clientWidth) wrong.push('it is wider than its window');
        const outside = (e) => { const r = e.getBoundingClientRect(); return r.width > 1 && (r.left < 0 || r.right > innerWidth + 1); };
        const inScroller = (e) => e.closest('.table-frame, .side, pre, iframe');
        document.querySelectorAll('main input, main select, main .filters-body, main .card').forEach((e) => {
          if (!inScroller(e) && outside(e)) wrong.push((e.name || e.className) + ' is cut off');
        });
        document.querySelectorAll('.field > input').forEach((e) => {
          if (e.getBoundingClientRect().right > e.parentElement.getBoundingClientRect().right + 1) wrong.push(e.name + ' leaves its field');
        });
        document.querySelectorAll('.object-side .table-frame, .history .table-frame').forEach((e) => {
          if (e.scrollWidth > e.clientWidth + 1) wrong.push('a table beside the form has to be scrolled');
        });
        document.querySelectorAll('.crumbs li:last-child').forEach((e) => {
          if (!document.body.classList.contains('outside') && e.getBoundingClientRect().width < 30) wrong.push('the breadcrumbs are gone');
        });
        const password = document.querySelector('.gate #password'), button = document.querySelector('.gate .primary');
        if (password && button.getBoundingClientRect().top < password.getBoundingClientRect().bottom) wrong.push('the button stands beside the password');
        return wrong.join('; ');";
    let wrong = browser.script(SOUGHT).await;
    (wrong != "").then(|| format!("{what}: {wrong}"))
}

/// In a browser, in both colours and three widths: no page is wider than its window, none breaks a rule of
/// accessibility, none complains or asks a foreign host for anything.
#[test]
fn every_page_is_whole_alone_and_accessible_in_both_colours_on_a_phone_and_a_screen() {
    usher_testkit::run(async {
        let app = TestApp::start(TestDb::sqlite().await).await;
        let pages = furnished(&app).await;
        let (base, stop) = serve(&app).await;
        let browser = Browser::open().await;
        browser.goto(&format!("{base}/admin/login")).await;
        assert_eq!(violations(&browser).await, serde_json::json!([]), "the log-in");
        let mut wrong = vec![];
        for width in [320, 1000, 1440] {
            browser.size(width, 900).await;
            wrong.extend(too_wide(&browser, &format!("the log-in at {width}")).await);
        }
        sign_in(&browser, &base).await;
        // Pictures of every page, for whoever changes how they look.
        let pictures = std::option_env!("SCREENSHOTS");
        for (scheme, colour) in [(ColorScheme::Light, "light"), (ColorScheme::Dark, "dark")] {
            browser.color_scheme(scheme).await;
            for width in [320, 768, 1440] {
                browser.size(width, 900).await;
                for (name, path) in &pages {
                    browser.goto(&format!("{base}{path}")).await;
                    wrong.extend(too_wide(&browser, &format!("{name} at {width}")).await);
                    if width != 768 {
                        wrong.extend(found(&browser, &format!("{name} at {width} in {colour}")).await);
                    }
                    if let Some(folder) = pictures {
                        browser
                            .screenshot(format!("{folder}/{name}-{width}-{colour}.png"))
                            .await;
                    }
                }
            }
        }
        browser.goto(&format!("{base}/admin/users")).await;
        browser.press("?").await;
        assert_eq!(
            browser.script("return document.getElementById('shortcuts').open").await,
            true
        );
        wrong.extend(found(&browser, "the shortcuts").await);
        // What opens, and what is said while somebody acts for a user.
        browser.goto(&format!("{base}/admin/users")).await;
        for number in [1, 2] {
            browser
                .click(&format!(".head-tools details.menu:nth-of-type({number}) summary"))
                .await;
            wrong.extend(found(&browser, &format!("the open menu {number}")).await);
        }
        browser
            .goto(&format!(
                "{base}/admin/users/actions?action=impersonate&id=3&from_object=3"
            ))
            .await;
        browser.fill("#ask-reason", "A call from them").await;
        browser.click(".confirm-buttons .primary").await;
        browser.text(".message.acting").await;
        for (scheme, colour) in [(ColorScheme::Dark, "dark"), (ColorScheme::Light, "light")] {
            browser.color_scheme(scheme).await;
            for width in [320, 1440] {
                browser.size(width, 900).await;
                let what = format!("acting for a user at {width} in {colour}");
                wrong.extend(found(&browser, &what).await);
                wrong.extend(too_wide(&browser, &what).await);
                if let Some(folder) = pictures {
                    browser
                        .screenshot(format!("{folder}/acting-{width}-{colour}.png"))
                        .await;
                }
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
        let complaints = browser.console_errors().await;
        let expected = |line: &&String| line.contains("/admin/users/999999");
        assert_eq!(
            complaints.iter().filter(|line| !expected(line)).collect::<Vec<_>>(),
            Vec::<&String>::new()
        );
        assert_eq!(browser.foreign_requests().await, Vec::<String>::new());
        stop.cancel();
    });
}

/// What the worker leaves behind of the user's newest job: the mail that it sent.
async fn delivered(app: &TestApp, user_id: i64) -> uuid::Uuid {
    let jobs = job::Entity::find()
        .filter(job::Column::UserId.eq(user_id))
        .all(&app.context.db);
    let job = jobs
        .await
        .expect("a query")
        .into_iter()
        .max_by_key(|job| job.id)
        .expect("a job");
    assert_eq!(job.kind, "verify_email");
    let id = uuid::Uuid::now_v7();
    let mail = mail::ActiveModel {
        id: Set(id),
        job_id: Set(Some(job.id)),
        kind: Set(job.kind),
        user_id: Set(Some(user_id)),
        to_address: Set("countess@example.org".to_owned()),
        subject: Set("Verify your address".to_owned()),
        state: Set(mail::MailState::Sent),
        message_id: Set("1@example.org".to_owned()),
        answer: Set(Some("250 2.0.0 queued as 7".to_owned())),
        created_at: Set(now()),
        sent_at: Set(Some(now())),
        ..Default::default()
    };
    mail.insert(&app.context.db).await.expect("a mail");
    id
}

/// What staff do in a day, by the same clicks with and without scripts.
async fn a_day(javascript: bool) {
    let app = TestApp::start(TestDb::sqlite().await).await;
    furnished(&app).await;
    let ada = app.add_user("countess@example.org", "Augusta King").await;
    let (base, stop) = serve(&app).await;
    let browser = Browser::open().await;
    browser.javascript(javascript).await;
    sign_in(&browser, &base).await;
    // Set up a second factor, and sign in with it.
    browser
        .goto(&format!("{base}/admin/mfa/enrol?next=/admin/account"))
        .await;
    let secret = browser.text(".secret code").await.replace(' ', "");
    browser.fill("#code", &code(&secret, 0)).await;
    browser.click("button.primary").await;
    browser.click("[name=saved]").await;
    browser.click("button.primary").await;
    assert_eq!(browser.url().await, format!("{base}/admin/account"));
    browser.click(".person button").await;
    browser.fill("#email", ADMIN).await;
    browser.fill("#password", PASSWORD).await;
    browser.click(".gate-card button.primary").await;
    assert!(browser.url().await.starts_with(&format!("{base}/admin/mfa?")));
    browser.fill("#code", &code(&secret, 1)).await;
    browser.click("button.primary").await;
    // Find a user by a part of the name, and lock them with a reason. What the next page alone has is waited for.
    browser.goto(&format!("{base}/admin/users")).await;
    browser.fill("#q", "gust").await;
    browser.click(".search button").await;
    browser.text(".count a").await;
    // Take the list along.
    browser.click(".head-tools details.menu:last-of-type summary").await;
    let file = browser.download("As CSV").await;
    assert!(
        file.contains("countess@example.org") && file.lines().count() == 2,
        "{file}"
    );
    browser.click("a.object").await;
    browser.click(".head-tools details.menu summary").await;
    browser.follow("Lock").await;
    browser.fill("#ask-reason", "Asked for it").await;
    browser.click(".confirm-buttons .primary").await;
    assert!(browser.text(".message.good").await.contains("1 user locked"));
    assert_eq!(app.user(ada.id).await.lock_reason.as_deref(), Some("Asked for it"));
    // Ask them to verify their address.
    browser.goto(&format!("{base}/admin/users/{}", ada.id)).await;
    browser.click(".head-tools details.menu summary").await;
    browser.click("button[value=resend_verification]").await;
    assert!(
        browser
            .text(".message.good")
            .await
            .contains("will get a verification email")
    );
    // See the mail that it became.
    let mail = delivered(&app, ada.id).await;
    browser.goto(&format!("{base}/admin/users/{}", ada.id)).await;
    browser.click(&format!("a[href='/admin/mails/{mail}']")).await;
    assert!(browser.page_text().await.contains("250 2.0.0 queued as 7"));
    // Run a dead job again.
    browser.goto(&format!("{base}/admin/jobs?state=dead")).await;
    browser.click("a.object").await;
    browser.click("button[value=retry]").await;
    assert!(browser.text(".message.good").await.contains("1 job queued for retry"));
    // Delete an account, and take that back.
    browser.goto(&format!("{base}/admin/users/{}/delete", ada.id)).await;
    browser.click(".confirm-buttons .primary").await;
    assert!(browser.text(".message.good").await.contains("1 user deleted"));
    assert!(app.user(ada.id).await.deleted_at.is_some());
    browser.click(".message.good a").await;
    browser.click(".head-tools .primary").await;
    assert!(browser.text(".message.good").await.contains("1 user restored"));
    assert!(app.user(ada.id).await.deleted_at.is_none());
    stop.cancel();
}

/// Presses Tab until what `css` finds has the focus.
async fn tab_to(browser: &Browser, css: &str) {
    for _ in 0..80 {
        browser.press("\u{e004}").await;
        let there = format!("return document.activeElement.matches({css:?})");
        if browser.script(&there).await == true {
            return;
        }
    }
    panic!("Tab does not lead to {css} on {}", browser.url().await);
}

#[test]
fn a_user_is_found_and_locked_by_keyboard_alone() {
    const ENTER: &str = "\u{e007}";
    usher_testkit::run(async {
        let app = TestApp::start(TestDb::sqlite().await).await;
        let ada = app.add_user("countess@example.org", "Augusta King").await;
        let (base, stop) = serve(&app).await;
        let browser = Browser::open().await;
        browser.goto(&format!("{base}/admin/")).await;
        browser.press(ADMIN).await; // the first field has the focus
        browser.press("\u{e004}").await;
        browser.press(PASSWORD).await;
        browser.leave(async || browser.press(ENTER).await).await;
        // The first stop of each page leads past what is on all pages.
        tab_to(&browser, "a.skip").await;
        browser.press(ENTER).await;
        assert_eq!(browser.script("return document.activeElement.id").await, "main");
        browser.press("/").await;
        browser.press("gust").await;
        browser.leave(async || browser.press(ENTER).await).await;
        tab_to(&browser, "main a[href^='/admin/users/']").await;
        browser.leave(async || browser.press(ENTER).await).await;
        tab_to(&browser, "details.menu summary").await;
        browser.press(ENTER).await;
        tab_to(&browser, "a[href*='action=lock']").await;
        browser.leave(async || browser.press(ENTER).await).await;
        tab_to(&browser, "#ask-reason").await;
        browser.press("Asked for it").await;
        browser.leave(async || browser.press(ENTER).await).await;
        assert!(browser.text(".message.good").await.contains("1 user locked"));
        assert_eq!(app.user(ada.id).await.lock_reason.as_deref(), Some("Asked for it"));
        stop.cancel();
    });
}

#[test]
fn a_day_of_staff_with_javascript() {
    usher_testkit::run(a_day(true));
}

#[test]
fn a_day_of_staff_without_javascript() {
    usher_testkit::run(a_day(false));
}

#[test]
fn everything_works_without_javascript() {
    usher_testkit::run(async {
        let app = TestApp::start(TestDb::sqlite().await).await;
        let ada = app.add_user("ada@example.org", "Ada").await;
        let (base, stop) = serve(&app).await;
        let browser = Browser::open().await;
        browser.javascript(false).await;
        sign_in(&browser, &base).await;
        browser.goto(&format!("{base}/admin/users?q=ada")).await;
        browser.click("a.object").await;
        browser.fill("#field-name", "Ada Lovelace").await;
        browser.click(".save .primary").await;
        assert!(browser.page_text().await.contains("User saved"));
        assert!(
            browser.url().await.ends_with("/admin/users?q=ada"),
            "{}",
            browser.url().await
        );
        assert_eq!(app.user(ada.id).await.name, "Ada Lovelace");
        browser.click("button[value=dark]").await;
        assert_eq!(browser.attribute("html", "data-theme").await.as_deref(), Some("dark"));
        stop.cancel();
    });
}
