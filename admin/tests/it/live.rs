//! Pages that keep up with changes: what they are told, who is told, and what a browser makes of it.

use std::time::Duration;

use axum::http::StatusCode;
use chrono::TimeDelta;
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, sea_query::Expr,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::{Instant, timeout},
};
use tokio_util::sync::CancellationToken;
use usher_shared::foundation::{
    entity::{
        job::{self, JobState},
        session,
    },
    time::now,
};
use usher_testkit::{Browser, TestDb, eventually, on_both};
use uuid::Uuid;

use crate::{
    app::TestApp,
    browser::{serve, sign_in},
};

const USERS: &str = "/admin/live?of=users";
/// Everything takes less time than this, on a busy machine as well.
const SOON: Duration = Duration::from_secs(5);

/// The welcome job of a new user.
async fn job(app: &TestApp, email: &str) -> job::Model {
    let user = app.add_user(email, "Ada").await;
    let jobs = job::Entity::find().filter(job::Column::UserId.eq(user.id));
    jobs.one(&app.context.db).await.unwrap().unwrap()
}

async fn set(app: &TestApp, id: Uuid, state: JobState, progress: Option<i16>) {
    let row = job::Entity::find_by_id(id).one(&app.context.db).await.unwrap().unwrap();
    let row = job::ActiveModel {
        state: Set(state),
        progress: Set(progress),
        ..row.into_active_model()
    };
    row.update(&app.context.db).await.unwrap();
}

/// Ends all sessions, as another process does.
async fn end_sessions(app: &TestApp) {
    session::Entity::update_many()
        .col_expr(session::Column::EndedAt, Expr::value(now()))
        .exec(&app.context.db)
        .await
        .unwrap();
}

#[on_both]
async fn a_list_is_told_that_something_happened_and_not_what(db: TestDb) {
    let app = TestApp::start(db).await;
    let boss = app.superuser().await;
    // What happened shortly before counts: the page may have been drawn before it.
    let mut told = boss.follow(USERS, &[]).await;
    assert_eq!(told.status, StatusCode::OK);
    told.until("event: changed", SOON).await;
    let (rest, ended) = told.within(Duration::from_secs(2)).await;
    assert!(!rest.contains("changed") && !ended, "nothing happens: {rest}");
    app.add_user("countess@example.org", "Augusta King").await;
    let text = told.until("event: changed", SOON).await;
    assert_eq!(text, "event: changed\ndata: {}\n\n");
    // Much that happens at once is one change, or few.
    for number in 0..30 {
        app.add_user(&format!("person{number}@example.org"), "Ada").await;
    }
    let (text, _) = told.within(Duration::from_secs(3)).await;
    let times = text.matches("event: changed").count();
    assert!((1..=4).contains(&times), "{times} times");
}

#[on_both]
async fn a_jobs_page_is_told_when_the_job_moves_by_few_statements(db: TestDb) {
    let app = TestApp::start(db).await;
    let job = job(&app, "ada@example.org").await;
    set(&app, job.id, JobState::Running, Some(10)).await;
    let boss = app.superuser().await;
    let mut told = boss.follow(&format!("/admin/live?of=jobs&id={}", job.id), &[]).await;
    assert_eq!(told.status, StatusCode::OK);
    app.take_statements();
    let (text, _) = told.within(Duration::from_secs(4)).await;
    let statements = app.take_statements();
    assert!(!text.contains("changed"), "{text}");
    assert!(
        (3..=9).contains(&statements.len()),
        "one in a second, and one in two: {statements:#?}"
    );
    for (state, progress) in [(JobState::Running, 11), (JobState::Done, 11)] {
        set(&app, job.id, state, Some(progress)).await;
        told.until("event: changed", SOON).await;
    }
    // A page that was drawn before the end is told of it.
    let mut told = boss.follow(&format!("/admin/live?of=jobs&id={}", job.id), &[]).await;
    told.until("event: changed", SOON).await;
}

#[on_both]
async fn a_stream_ends_with_its_session_within_five_seconds(db: TestDb) {
    let app = TestApp::start(db).await;
    let boss = app.superuser().await;
    let mut told = boss.follow(USERS, &[]).await;
    let (_, ended) = told.within(Duration::from_secs(3)).await;
    assert!(!ended, "while the session is live");
    end_sessions(&app).await;
    let (text, ended) = told.within(SOON).await;
    assert!(ended && text.contains("\"session_changed\""), "{text}");
    // And none begins.
    assert_eq!(boss.follow(USERS, &[]).await.status, StatusCode::SEE_OTHER);
}

#[on_both]
async fn a_stream_ends_when_permissions_are_taken_or_given(db: TestDb) {
    let app = TestApp::start(db).await;
    let person = app.add_staff("sam@example.org", &["users.view"]).await;
    let sam = app.signed_in("sam@example.org").await;
    for (permissions, status) in [
        (vec!["users.view".to_owned(), "roles.view".to_owned()], StatusCode::OK),
        (vec![], StatusCode::FORBIDDEN),
    ] {
        let mut told = sam.follow(USERS, &[]).await;
        assert_eq!(told.status, StatusCode::OK);
        app.grant(person.id, &permissions).await;
        let (text, ended) = told.within(SOON).await;
        assert!(ended && text.contains("\"session_changed\""), "{permissions:?}: {text}");
        assert_eq!(sam.follow(USERS, &[]).await.status, status, "{permissions:?}");
    }
}

#[on_both]
async fn who_may_not_view_something_is_not_told_of_it(db: TestDb) {
    let app = TestApp::start(db).await;
    let job = job(&app, "ada@example.org").await;
    let of_job = format!("/admin/live?of=jobs&id={}", job.id);
    let nobody = app.anonymous();
    for path in [USERS, &of_job, "/admin/live?of=*"] {
        assert_eq!(nobody.follow(path, &[]).await.status, StatusCode::SEE_OTHER, "{path}");
    }
    let clerk = app
        .staff(&["roles.view", "roles.change", "users.change", "jobs.cancel"])
        .await;
    for path in [USERS, &of_job] {
        assert_eq!(clerk.follow(path, &[]).await.status, StatusCode::FORBIDDEN, "{path}");
    }
    // Roles have no events, so there is nothing to tell.
    for path in ["/admin/live?of=roles", "/admin/live?of=*"] {
        assert_eq!(clerk.follow(path, &[]).await.status, StatusCode::NO_CONTENT, "{path}");
    }
    for path in ["/admin/live", "/admin/live?of=nothing"] {
        assert_eq!(clerk.follow(path, &[]).await.status, StatusCode::NOT_FOUND, "{path}");
    }
    let viewer = app.staff(&["users.view"]).await;
    let mut told = viewer.follow("/admin/live?of=*", &[]).await;
    assert_eq!(told.status, StatusCode::OK);
    told.until("event: changed", SOON).await;
}

#[on_both]
async fn another_site_is_told_nothing(db: TestDb) {
    let app = TestApp::start(db).await;
    let boss = app.superuser().await;
    let site = |site| ("sec-fetch-site", site);
    for foreign in [
        &[site("cross-site")][..],
        &[site("same-site")],
        &[site("none")],
        &[("origin", "https://example.org")],
        &[("origin", "null")],
        &[site("cross-site"), ("origin", "http://127.0.0.1:8001")],
    ] {
        let mut told = boss.follow(USERS, foreign).await;
        assert_eq!(told.status, StatusCode::FORBIDDEN, "{foreign:?}");
        let (text, ended) = told.within(SOON).await;
        assert!(ended && !text.contains("event"), "{foreign:?}: {text}");
    }
    // Without HTTPS, browsers say nothing of the kind.
    for own in [&[site("same-origin")][..], &[("origin", "http://127.0.0.1:8001")], &[]] {
        assert_eq!(boss.follow(USERS, own).await.status, StatusCode::OK, "{own:?}");
    }
}

#[on_both]
async fn a_session_has_a_limited_number_of_streams(db: TestDb) {
    let app = TestApp::start(db).await;
    let (boss, other) = (app.superuser().await, app.staff(&["users.view"]).await);
    let mut open = vec![];
    for _ in 0..16 {
        open.push(boss.follow(USERS, &[]).await);
        assert_eq!(open.last().unwrap().status, StatusCode::OK);
    }
    assert_eq!(boss.follow(USERS, &[]).await.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(other.follow(USERS, &[]).await.status, StatusCode::OK);
    open.pop();
    assert_eq!(boss.follow(USERS, &[]).await.status, StatusCode::OK);
}

#[on_both]
async fn what_a_page_asks_by_itself_is_no_use_of_the_session_and_takes_no_message(db: TestDb) {
    const BY_ITSELF: &[(&str, &str)] = &[("x-usher-by-itself", "yes")];
    let app = TestApp::start(db).await;
    let mut boss = app.superuser().await;
    let earlier = now() - TimeDelta::minutes(50);
    let rest = session::Entity::update_many().col_expr(session::Column::LastSeenAt, Expr::value(earlier));
    rest.exec(&app.context.db).await.unwrap();
    let seen = async || {
        let row = session::Entity::find().one(&app.context.db).await.unwrap();
        row.unwrap().last_seen_at
    };
    assert_eq!(
        boss.get_with_headers("/admin/users", BY_ITSELF).await.status,
        StatusCode::OK
    );
    assert_eq!(boss.follow(USERS, &[]).await.status, StatusCode::OK);
    assert_eq!(seen().await.timestamp(), earlier.timestamp());
    boss.get("/admin/users").await;
    assert!(seen().await > earlier + TimeDelta::minutes(40));

    let user = app.add_user("ada@example.org", "Ada").await;
    boss.get(&format!("/admin/users/{}/delete", user.id)).await;
    let done = boss
        .post(&format!("/admin/users/{}/delete", user.id), &[("_confirmed", "yes")])
        .await;
    assert_eq!(done.status, StatusCode::SEE_OTHER, "{}", done.body);
    let page = boss.get_with_headers("/admin/users", BY_ITSELF).await;
    assert!(!page.has("1 user deleted"), "{}", page.body);
    assert!(boss.get("/admin/users").await.has("1 user deleted"));
}

#[on_both]
async fn a_server_that_stops_ends_its_streams(db: TestDb) {
    let app = TestApp::start(db).await;
    let boss = app.superuser().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (context, stop) = (app.context.clone(), CancellationToken::new());
    let stopped = stop.clone();
    let serving = tokio::spawn(async move { usher_admin::serve(&context, listener, stopped).await });
    let mut stream = TcpStream::connect(address).await.unwrap();
    let cookie = boss.cookie("usher_admin").expect("the session's cookie");
    let head = format!("GET {USERS} HTTP/1.1\r\nHost: {address}\r\nCookie: usher_admin={cookie}\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    let (mut bytes, mut piece) = (vec![], [0; 4096]);
    while !String::from_utf8_lossy(&bytes).contains("retry:") {
        let length = timeout(SOON, stream.read(&mut piece)).await.unwrap().unwrap();
        assert!(length > 0, "{}", String::from_utf8_lossy(&bytes));
        bytes.extend(&piece[..length]);
    }
    let began = Instant::now();
    stop.cancel();
    let all = async {
        stream.read_to_end(&mut bytes).await.unwrap();
        serving.await.unwrap();
    };
    timeout(SOON, all).await.expect("it stops at once");
    let text = String::from_utf8_lossy(&bytes);
    assert!(text.contains("\"shutting_down\"") && began.elapsed() < SOON, "{text}");
}

/// Marks the page that is open, to see that it is never loaded again.
const MARK: &str = "window.isTheSame = true";
const IS_SAME: &str = "return window.isTheSame === true";
/// Whether a row says this.
fn has_row(words: &str) -> String {
    format!(
        "return [...document.querySelectorAll('table.list tbody tr')].some((row) => row.textContent.includes({words:?}))"
    )
}

#[on_both]
async fn a_list_shows_what_others_create_and_leaves_alone_what_somebody_does(db: TestDb) {
    let app = TestApp::start(db).await;
    app.add_user("ada@example.org", "Ada Lovelace").await;
    let (base, stop) = serve(&app).await;
    let browser = Browser::open().await;
    sign_in(&browser, &base).await;
    browser.goto(&format!("{base}/admin/users")).await;
    browser.script(MARK).await;
    let until = async |what: &str, script: &str| {
        eventually(Duration::from_secs(15), what, async || {
            (browser.script(script).await == true).then_some(())
        })
        .await;
    };
    // With the focus on a link, which stays there.
    browser.script("document.querySelector('a.object').focus()").await;
    let focused = browser.script("return document.activeElement.href").await;
    app.add_user("grace@example.org", "Grace Hopper").await;
    until("the new row", &has_row("Grace Hopper")).await;
    assert_eq!(browser.script("return document.activeElement.href").await, focused);
    assert_eq!(browser.text(".count").await, "3 users");

    // While rows are selected, it only says that there is something new.
    browser.click("tbody tr:first-child input").await;
    let ticked = "return document.querySelector('tbody input:checked').value";
    let id = browser.script(ticked).await;
    app.add_user("alan@example.org", "Alan Turing").await;
    assert!(browser.text(".news:not(:empty)").await.starts_with("New changes"));
    assert_eq!(browser.script(&has_row("Alan Turing")).await, false);
    browser.click(".news button").await;
    until("what is asked for", &has_row("Alan Turing")).await;
    assert_eq!(
        (browser.script(ticked).await, browser.text("[data-ticked]").await),
        (id, "1 selected".to_owned())
    );
    // Once nothing is selected, it goes on; so do the checkboxes.
    app.add_user("edsger@example.org", "Edsger Dijkstra").await;
    browser.text(".news:not(:empty)").await;
    browser.click("tbody input:checked").await;
    until("the list goes on", &has_row("Edsger Dijkstra")).await;
    browser.click("thead input").await;
    assert_eq!(browser.text("[data-ticked]").await, "5 selected");
    browser.click("thead input").await;

    // While somebody types.
    browser.fill("#q", "Barb").await;
    app.add_user("barbara@example.org", "Barbara Liskov").await;
    browser.text(".news:not(:empty)").await;
    assert_eq!(browser.script(&has_row("Barbara Liskov")).await, false);
    assert_eq!(
        browser.script("return document.querySelector('#q').value").await,
        "Barb"
    );
    browser
        .script("document.querySelector('#q').value = ''; document.activeElement.blur()")
        .await;
    until("after that", &has_row("Barbara Liskov")).await;

    assert_eq!(browser.script(IS_SAME).await, true, "the page was never loaded again");
    end_sessions(&app).await;
    let says = browser.text(".news:not(:empty)").await;
    assert!(says.starts_with("This page is out of date"), "{says}");
    assert_eq!(browser.console_errors().await, Vec::<String>::new());
    stop.cancel();
}

#[on_both]
async fn a_jobs_progress_moves_by_itself_until_it_is_done(db: TestDb) {
    let app = TestApp::start(db).await;
    let job = job(&app, "ada@example.org").await;
    set(&app, job.id, JobState::Running, Some(10)).await;
    let (base, stop) = serve(&app).await;
    let browser = Browser::open().await;
    sign_in(&browser, &base).await;
    browser.goto(&format!("{base}/admin/jobs/{}", job.id)).await;
    browser.script(MARK).await;
    let value = "return document.querySelector('progress')?.value ?? null";
    assert_eq!(browser.script(value).await, 10);
    for percent in [30, 70] {
        set(&app, job.id, JobState::Running, Some(percent)).await;
        eventually(SOON, "the bar moves", async || {
            (browser.script(value).await == percent).then_some(())
        })
        .await;
    }
    assert!(browser.attribute("progress", "aria-label").await.is_some());
    // Whoever is about to click something doesn't click what takes its place: here, what runs the job again.
    browser
        .script(
            "new MutationObserver(() => {
               const retry = document.querySelector('button[value=retry]');
               if (retry) retry.dispatchEvent(new MouseEvent('click', { bubbles: true, cancelable: true, detail: 1 }));
             }).observe(document.getElementById('content'), { childList: true, subtree: true })",
        )
        .await;
    browser.click("h1").await;
    set(&app, job.id, JobState::Done, Some(100)).await;
    eventually(SOON, "it is done", async || {
        (browser.text(".title .badge").await == "Done").then_some(())
    })
    .await;
    assert_eq!(browser.script(value).await, serde_json::Value::Null);
    assert_eq!(browser.script(IS_SAME).await, true);
    // Nothing is asked for any more.
    app.take_statements();
    tokio::time::sleep(Duration::from_secs(4)).await;
    assert_eq!(app.take_statements(), Vec::<String>::new());
    stop.cancel();
}
