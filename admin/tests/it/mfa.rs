//! The second factor.

use axum::http::StatusCode;
use sea_orm::{EntityTrait, sea_query::Expr};
use totp_rs::{Algorithm, Builder, Secret};
use usher_shared::foundation::{entity::mfa_factor, time::now};
use usher_testkit::{TestDb, on_both};

use crate::app::{ADMIN, PASSWORD, Page, TestApp, Visitor, between};

const REQUIRED: [(&str, &str); 1] = [("STAFF_MFA", "required")];

/// The secret as the enrolment page shows it.
fn secret_of(page: &Page) -> String {
    between(&page.body, "<dt>Secret</dt><dd><code>", "</code>").replace(' ', "")
}

/// The code of a 30-second step, counted from now.
pub fn code(secret: &str, steps: i64) -> String {
    let secret = Secret::try_from_base32(secret).expect("base32");
    let totp = Builder::new()
        .with_algorithm(Algorithm::SHA1)
        .with_digits(6)
        .with_step_duration(30);
    let at = u64::try_from(now().timestamp() + steps * 30).expect("a time");
    totp.with_secret(secret).build_noncompliant().generate(at).to_string()
}

async fn enrolled(app: &TestApp) -> (Visitor, String) {
    let mut visitor = app.anonymous();
    let page = visitor.sign_in(ADMIN, PASSWORD).await;
    assert!(page.location().starts_with("/admin/mfa"), "{}", page.location());
    let page = visitor.get("/admin/mfa/enrol?next=%2Fadmin%2Fusers").await;
    let secret = secret_of(&page);
    assert_eq!(secret.len(), 32, "{}", page.body);
    assert!(page.has("data:image/svg+xml;base64,"));
    let code = code(&secret, -1);
    let page = visitor
        .post("/admin/mfa/enrol", &[("code", &code), ("next", "/admin/users")])
        .await;
    assert!(page.has("Save your recovery codes"), "{}", page.body);
    let page = visitor.post("/admin/mfa/saved", &[("next", "/admin/users")]).await;
    assert_eq!(page.location(), "/admin/users", "{}", page.body);
    (visitor, secret)
}

#[on_both]
async fn a_superuser_without_a_factor_must_enrol_first(db: TestDb) {
    let app = TestApp::with(db, &REQUIRED).await;
    let mut visitor = app.anonymous();
    visitor.sign_in(ADMIN, PASSWORD).await;
    for path in ["/admin/", "/admin/users", "/admin/users/1", "/admin/jobs"] {
        let page = visitor.get(path).await;
        assert!(
            page.location().starts_with("/admin/mfa/enrol?next="),
            "{path}: {}",
            page.location()
        );
    }
    let first = secret_of(&visitor.get("/admin/mfa/enrol").await);
    assert_eq!(
        secret_of(&visitor.get("/admin/mfa/enrol").await),
        first,
        "loading again shows the same secret"
    );
    let page = visitor
        .post("/admin/mfa/enrol", &[("code", "000000"), ("next", "")])
        .await;
    assert_eq!(page.status, StatusCode::UNAUTHORIZED);
    assert!(visitor.get("/admin/").await.location().starts_with("/admin/mfa/enrol"));
}

#[on_both]
async fn enrolment_completes_the_sign_in_and_seals_the_secret(db: TestDb) {
    let app = TestApp::with(db, &REQUIRED).await;
    let (mut visitor, secret) = enrolled(&app).await;
    assert_eq!(visitor.get("/admin/").await.status, StatusCode::OK);
    let factor = mfa_factor::Entity::find().one(&app.context.db).await.unwrap().unwrap();
    assert!(factor.confirmed_at.is_some());
    let plain = Secret::try_from_base32(&secret).unwrap();
    assert!(
        !factor
            .secret_sealed
            .windows(20)
            .any(|window| window == plain.as_ref() as &[u8])
    );
    let actions: Vec<_> = app.audit().await.into_iter().map(|row| row.action).collect();
    assert!(
        actions.ends_with(&["second_factor_added".to_owned(), "login".to_owned()]),
        "{actions:?}"
    );
    app.let_freshness_pass().await;
    let page = visitor.get("/admin/mfa/enrol").await;
    assert_eq!(
        page.status,
        StatusCode::UNAUTHORIZED,
        "another factor takes the password again"
    );
    assert!(page.has("Confirm it's you") && !page.has("<dt>Secret</dt>"));
}

#[on_both]
async fn pages_and_apps_say_what_the_product_is_called(db: TestDb) {
    let app = TestApp::with(db, &[("PRODUCT_NAME", "Acme <Co>")]).await;
    let mut visitor = app.anonymous();
    let page = visitor.get("/admin/login").await;
    assert!(
        page.has("· Acme &#60;Co&#62;</title>") && !page.has("Usher"),
        "{}",
        page.body
    );
    visitor.sign_in(ADMIN, PASSWORD).await;
    assert!(visitor.get("/admin/users").await.has("· Acme &#60;Co&#62;</title>"));
    for label in ["Authenticator app", "Authenticator app 2"] {
        let page = visitor.get("/admin/mfa/enrol").await;
        assert!(page.has(&format!("<dt>Name</dt><dd>{label}</dd>")), "{}", page.body);
        let code = code(&secret_of(&page), 0);
        visitor.post("/admin/mfa/enrol", &[("code", &code), ("next", "")]).await;
    }
    let page = visitor.get("/admin/account").await;
    assert!(
        page.has("Authenticator app <") && page.has("Authenticator app 2 <"),
        "{}",
        page.body
    );
}

#[on_both]
async fn a_recovery_code_stands_in_once_and_its_owner_is_told(db: TestDb) {
    let app = TestApp::with(db, &REQUIRED).await;
    let (mut visitor, _) = enrolled(&app).await;
    visitor.get("/admin/account").await;
    let page = visitor.post("/admin/account/recovery-codes", &[]).await;
    let codes: Vec<_> = page
        .body
        .split("<li><code>")
        .skip(1)
        .map(|rest| rest.split('<').next().unwrap().to_owned())
        .collect();
    assert_eq!(codes.len(), 10, "{}", page.body);
    for (sent, status) in [
        (codes[0].as_str(), StatusCode::SEE_OTHER),
        (&codes[0], StatusCode::UNAUTHORIZED),
        ("zzzz-zzzz-zzzz", StatusCode::UNAUTHORIZED),
    ] {
        let mut other = app.anonymous();
        other.sign_in(ADMIN, PASSWORD).await;
        other.get("/admin/mfa").await;
        assert_eq!(
            other.post("/admin/mfa", &[("code", sent), ("next", "")]).await.status,
            status,
            "{sent}"
        );
    }
    assert!(visitor.get("/admin/account").await.has("9 left"));
    let kinds: Vec<_> = usher_shared::foundation::entity::job::Entity::find()
        .all(&app.context.db)
        .await
        .unwrap()
        .into_iter()
        .map(|job| job.kind)
        .collect();
    assert!(
        kinds.iter().filter(|kind| *kind == "mfa_changed").count() >= 3,
        "{kinds:?}"
    );
    app.let_freshness_pass().await;
    assert_eq!(
        visitor.post("/admin/account/recovery-codes", &[]).await.status,
        StatusCode::UNAUTHORIZED
    );
}

#[on_both]
async fn a_code_is_asked_for_afterwards_and_accepted_once(db: TestDb) {
    let app = TestApp::with(db, &REQUIRED).await;
    let (_, secret) = enrolled(&app).await;

    let mut visitor = app.anonymous();
    visitor.sign_in(ADMIN, PASSWORD).await;
    let half = visitor.cookie("usher_admin").unwrap().to_owned();
    assert!(
        visitor
            .get("/admin/users")
            .await
            .location()
            .starts_with("/admin/mfa?next=")
    );
    visitor.get("/admin/mfa").await;
    let used = visitor
        .post("/admin/mfa", &[("code", &code(&secret, -1)), ("next", "")])
        .await;
    assert_eq!(
        used.status,
        StatusCode::UNAUTHORIZED,
        "the step of the enrolment is used up"
    );
    let far = visitor
        .post("/admin/mfa", &[("code", &code(&secret, 3)), ("next", "")])
        .await;
    assert_eq!(far.status, StatusCode::UNAUTHORIZED);
    let current = code(&secret, 0);
    let page = visitor
        .post("/admin/mfa", &[("code", &current), ("next", "//evil.example/")])
        .await;
    assert_eq!(page.location(), "/admin/", "{}", page.body);
    assert_eq!(visitor.get("/admin/").await.status, StatusCode::OK);

    let mut thief = app.anonymous();
    thief.set_cookie("usher_admin", &half);
    assert!(
        thief.get("/admin/").await.location().starts_with("/admin/login"),
        "the token was renewed"
    );

    let mut second = app.anonymous();
    second.sign_in(ADMIN, PASSWORD).await;
    second.get("/admin/mfa").await;
    let replayed = second.post("/admin/mfa", &[("code", &current), ("next", "")]).await;
    assert_eq!(replayed.status, StatusCode::UNAUTHORIZED, "a code works once");
    assert_eq!(
        app.audit()
            .await
            .iter()
            .filter(|row| row.action == "login_failed")
            .count(),
        3
    );
}

#[on_both]
async fn codes_cannot_be_guessed_quickly(db: TestDb) {
    let app = TestApp::with(db, &[("STAFF_MFA", "required"), ("RATE_LIMITS", "on")]).await;
    let mut visitor = app.anonymous();
    visitor.sign_in(ADMIN, PASSWORD).await;
    visitor.get("/admin/mfa/enrol").await;
    for _ in 0..5 {
        visitor
            .post("/admin/mfa/enrol", &[("code", "123456"), ("next", "")])
            .await;
    }
    let page = visitor
        .post("/admin/mfa/enrol", &[("code", "123456"), ("next", "")])
        .await;
    assert_eq!(page.status, StatusCode::TOO_MANY_REQUESTS);
}

#[on_both]
async fn a_waiting_factor_is_the_sessions_that_began_it(db: TestDb) {
    let app = TestApp::start(db).await;
    let (mut owner, mut thief) = (app.superuser().await, app.superuser().await);
    let known = secret_of(&thief.get("/admin/mfa/enrol").await);
    let own = secret_of(&owner.get("/admin/mfa/enrol").await);
    assert!(own.len() == 32 && own != known, "each session has a secret of its own");
    assert_eq!(secret_of(&thief.get("/admin/mfa/enrol").await), known);
    let page = owner
        .post("/admin/mfa/enrol", &[("code", &code(&known, 0)), ("next", "")])
        .await;
    assert_eq!(
        page.status,
        StatusCode::UNAUTHORIZED,
        "the other session's code confirms nothing"
    );
    // It ends with the password, which ends the other session as well, and stays ended in the one that goes on.
    owner.get("/admin/account").await;
    let new = "another four uncommon words";
    let changed = owner
        .post(
            "/admin/account/password",
            &[("present", PASSWORD), ("new", new), ("again", new)],
        )
        .await;
    assert_eq!(changed.location(), "/admin/account");
    assert!(mfa_factor::Entity::find().one(&app.context.db).await.unwrap().is_none());
    let fresh = secret_of(&owner.get("/admin/mfa/enrol").await);
    assert!(fresh != own && fresh != known);
    // It ends with time.
    let long_ago = now() - chrono::TimeDelta::minutes(16);
    mfa_factor::Entity::update_many()
        .col_expr(mfa_factor::Column::CreatedAt, Expr::value(long_ago))
        .exec(&app.context.db)
        .await
        .unwrap();
    let page = owner
        .post("/admin/mfa/enrol", &[("code", &code(&fresh, 0)), ("next", "")])
        .await;
    assert!(
        page.status == StatusCode::UNAUTHORIZED && page.has("longer than 15 minutes"),
        "{}",
        page.body
    );
    let last = secret_of(&page);
    assert!(last != fresh && last.len() == 32);
    let page = owner
        .post("/admin/mfa/enrol", &[("code", &code(&last, 0)), ("next", "")])
        .await;
    assert!(page.has("Save your recovery codes"), "{}", page.body);
    assert!(
        mfa_factor::Entity::find()
            .all(&app.context.db)
            .await
            .unwrap()
            .iter()
            .all(|factor| factor.confirmed_at.is_some())
    );
}

#[on_both]
async fn a_password_from_long_ago_gives_no_first_factor(db: TestDb) {
    let app = TestApp::with(db, &REQUIRED).await;
    let mut visitor = app.anonymous();
    visitor.sign_in(ADMIN, PASSWORD).await;
    assert!(secret_of(&visitor.get("/admin/mfa/enrol?next=%2Fadmin%2Fusers").await).len() == 32);
    app.let_freshness_pass().await;
    assert_eq!(
        visitor.get("/admin/mfa/enrol?next=%2Fadmin%2Fusers").await.location(),
        "/admin/login?next=%2Fadmin%2Fusers"
    );
    let late = visitor
        .post("/admin/mfa/enrol", &[("code", "000000"), ("next", "")])
        .await;
    assert!(late.location().starts_with("/admin/login"));
    assert!(
        visitor
            .sign_in(ADMIN, PASSWORD)
            .await
            .location()
            .starts_with("/admin/mfa")
    );
    assert_eq!(secret_of(&visitor.get("/admin/mfa/enrol").await).len(), 32);
}

#[on_both]
async fn a_waiting_factor_of_the_api_is_not_shown_here(db: TestDb) {
    let app = TestApp::start(db).await;
    let (key, db) = (&app.context.config.secret_key, &app.context.db);
    let device = usher_shared::accounts::sessions::Device::default();
    let tx = app.context.job_store.begin().await.unwrap();
    let (session, _) = usher_shared::accounts::sessions::start(&**tx, app.admin.id, device, false)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let factor = usher_shared::accounts::mfa::enrol(db, key, app.admin.id, session.id, "Phone")
        .await
        .unwrap();
    let known =
        usher_shared::accounts::mfa::totp::readable(&usher_shared::accounts::mfa::secret(key, &factor).unwrap())
            .replace(' ', "");
    let mut owner = app.superuser().await;
    assert_ne!(secret_of(&owner.get("/admin/mfa/enrol").await), known);
    let page = owner
        .post("/admin/mfa/enrol", &[("code", &code(&known, 0)), ("next", "")])
        .await;
    assert_eq!(page.status, StatusCode::UNAUTHORIZED);
    assert!(!usher_shared::accounts::mfa::has_factor(db, app.admin.id).await.unwrap());
}
