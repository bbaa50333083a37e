//! Finding things: across models, by a few letters, by time, and what a filter would leave.

use axum::http::StatusCode;
use usher_testkit::{TestDb, on_both};

use crate::app::TestApp;

#[on_both]
async fn one_search_goes_through_all_that_staff_may_see(db: TestDb) {
    let app = TestApp::start(db).await;
    let ada = app.add_user("ada@example.org", "Ada <Lovelace>").await;
    let mut boss = app.superuser().await;
    let page = boss.get("/admin/search?q=ada%40example.org").await;
    assert!(
        page.has(&format!("href=\"/admin/users/{}\"", ada.id)) && page.has("href=\"/admin/mails"),
        "{}",
        page.body
    );
    assert!(
        boss.get("/admin/search?q=welcome_email")
            .await
            .has("href=\"/admin/jobs/")
    );
    assert!(boss.get("/admin/search").await.has("What are you looking for"));
    for odd in ["%00", "%22", "id%3A", "%3Cscript%3E", "%25", "%FF"] {
        assert_eq!(
            boss.get(&format!("/admin/search?q={odd}")).await.status,
            StatusCode::OK,
            "{odd}"
        );
    }
    let mut viewer = app.staff(&["jobs.view"]).await;
    assert!(
        !viewer.get("/admin/search?q=ada").await.has("ada@example.org"),
        "nothing of what they may not see"
    );
}

#[on_both]
async fn a_few_letters_suggest_twenty_at_most(db: TestDb) {
    let app = TestApp::start(db).await;
    for number in 0..25 {
        app.add_user(&format!("s{number:02}@example.org"), "Suggested").await;
    }
    let mut boss = app.superuser().await;
    let found: serde_json::Value =
        serde_json::from_str(&boss.get("/admin/users/autocomplete?q=suggested").await.body).unwrap();
    assert_eq!(
        (found["results"].as_array().unwrap().len(), found["more"].as_bool()),
        (20, Some(true))
    );
    assert_eq!(found["results"][0]["text"], "s24@example.org");
    let mut nobody = app.staff(&["jobs.view"]).await;
    let page = nobody.get("/admin/users/autocomplete?q=s").await;
    assert!(page.status == StatusCode::FORBIDDEN && !page.has("s24@example.org"));
    assert!(
        boss.get("/admin/jobs")
            .await
            .has("data-suggest=\"/admin/users/autocomplete\"")
    );
}

#[on_both]
async fn a_list_is_drilled_into_by_time(db: TestDb) {
    let app = TestApp::start(db).await;
    app.add_user("ada@example.org", "Ada").await;
    let mut boss = app.superuser().await;
    let today = usher_shared::foundation::time::now();
    let (day, month, year) = (today.format("%Y-%m-%d"), today.format("%Y-%m"), today.format("%Y"));
    for query in [
        format!("created_at={year}"),
        format!("created_at={month}"),
        format!("created_at={day}"),
        format!("created_at__gte={day}"),
        format!("q=created%3A{month}"),
        format!("q=created%3A%3E%3D{day}"),
    ] {
        let page = boss.get(&format!("/admin/users?{query}")).await;
        assert!(
            page.status == StatusCode::OK && page.has("ada@example.org"),
            "{query}: {}",
            page.status
        );
    }
    for query in [
        "created_at=1999".to_owned(),
        format!("created_at__lt={day}"),
        "q=created%3A%3C2001".to_owned(),
        "q=created%3Anonsense".to_owned(),
    ] {
        let page = boss.get(&format!("/admin/users?{query}")).await;
        assert!(page.status == StatusCode::OK && !page.has("ada@example.org"), "{query}");
    }
    assert!(
        boss.get(&format!("/admin/users?created_at={year}"))
            .await
            .has(&format!("created_at={month}")),
        "the months of the year"
    );
    // Jobs, mails and sessions are found through their ids, which hold the time.
    let tomorrow = usher_shared::foundation::time::now().date_naive() + chrono::Days::new(1);
    for (query, holds) in [
        (format!("created_at={year}"), true),
        (format!("created_at__gte={day}&created_at__lt={tomorrow}"), true),
        (format!("created_at__lt={day}"), false),
        (format!("created_at__gte={tomorrow}"), false),
        ("created_at__gte=0001-01-01T00:00:00Z".to_owned(), true),
        ("created_at__lt=9999-12-31T23:59:59Z".to_owned(), true),
    ] {
        for model in ["jobs", "sessions"] {
            let page = boss.get(&format!("/admin/{model}?{query}")).await;
            assert_eq!(
                (page.status, !page.objects().is_empty()),
                (StatusCode::OK, holds),
                "{model}?{query}"
            );
        }
    }
    let page = boss
        .get(&format!("/admin/jobs?created_at__gte={day}&created_at__lt={tomorrow}"))
        .await;
    assert_eq!(
        (page.input("created_at__gte"), page.input("created_at__lt")),
        (Some(day.to_string()), Some(tomorrow.to_string()))
    );
    for bad in ["created_at=yesterday", "created_at=2026-13", "created_at__gte=x"] {
        assert_eq!(
            boss.get(&format!("/admin/users?{bad}")).await.location(),
            "/admin/users",
            "{bad}"
        );
    }
}

#[on_both]
async fn filters_say_what_they_would_leave_when_asked(db: TestDb) {
    let app = TestApp::start(db).await;
    for number in 0..3 {
        app.add_user(&format!("f{number}@example.org"), "Facet").await;
    }
    let mut boss = app.superuser().await;
    app.take_statements();
    let plain = boss.get("/admin/users?q=facet").await;
    assert!(plain.has("Show counts") && !plain.has("class=\"facet\""));
    assert!(app.take_statements().len() <= 4);
    let page = boss.get("/admin/users?q=facet&_facets=yes").await;
    assert!(app.take_statements().len() <= 5);
    assert!(
        page.has("Active <span class=\"facet\">3</span>") && page.has("Locked <span class=\"facet\">0</span>"),
        "{}",
        page.body
    );
    assert!(page.has("Hide counts"));
}
