//! The welcome mail: what arrives, what is kept, what the mail log says, and what each answer of a mail server does.

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, sea_query::Expr};
use usher_shared::{
    foundation::{
        crypto::sha256,
        entity::{
            job::JobState,
            mail::{self, MailState},
            mail_token, user,
        },
    },
    jobs::{self, OperationError},
};
use usher_testkit::{Mail, Smtp, TestDb, eventually, on_both};
use usher_worker::registry;

use crate::test_worker::{PATIENCE, TestWorker};

const FROM: (&str, &str) = ("MAIL_FROM", "Café Usher <hello@usher.example>");

async fn with_smtp(db: TestDb, smtp: &Smtp) -> TestWorker {
    TestWorker::with(db, &[("SMTP_URL", &smtp.url()), FROM], true).await
}

fn link_in(text: &str) -> &str {
    text.lines()
        .find(|line| line.starts_with("https://app.example.org/set-password?token="))
        .expect("a link on its own line")
}

/// The link's token opens exactly what was stored, and nothing but its hash was.
async fn expect_token_stored_hashed(test: &TestWorker, user: &user::Model, link: &str) {
    let raw = link.split_once("token=").unwrap().1;
    assert!(raw.starts_with("umt_"));
    let tokens = mail_token::Entity::find()
        .filter(mail_token::Column::UserId.eq(user.id))
        .all(&test.context.db)
        .await
        .unwrap();
    assert_eq!(tokens.len(), 1);
    assert_eq!(tokens[0].token_hash, sha256(raw.as_bytes()));
    assert_eq!((tokens[0].expires_at - tokens[0].created_at).num_hours(), 72);
    assert_eq!(tokens[0].used_at, None);
}

#[on_both]
async fn a_new_user_gets_one_mail_with_a_link_that_sets_a_password(db: TestDb) {
    let smtp = Smtp::start().await;
    let test = with_smtp(db, &smtp).await;
    let worker = test.start(registry());
    let user = test.sign_up("Zoë Kravitz-Ødegård", "zoe@example.org").await;
    let mails = smtp.wait_for(1, PATIENCE).await;
    let job = test.job_of(&user).await;
    let job = test.reaches(job.id, JobState::Done).await;
    worker.stop().await;

    let [mail] = mails.as_slice() else {
        panic!("{} mails", mails.len())
    };
    assert_eq!(
        (mail.to.as_str(), mail.from.as_str()),
        ("zoe@example.org", "hello@usher.example")
    );
    assert_eq!(mail.subject, "Welcome to Café Usher");
    assert_eq!(mail.header("From"), Some("Café Usher <hello@usher.example>"));
    assert_eq!(
        mail.header("To"),
        Some("zoe@example.org"),
        "whoever gave the name may not own the mailbox"
    );
    assert_eq!(mail.header("Auto-Submitted"), Some("auto-generated"));
    assert_eq!(mail.message_id, format!("<{}@usher.example>", job.id));
    assert!(mail.header("Date").is_some());
    assert!(
        mail.text.contains("Welcome to Café Usher") && !mail.text.contains("Zoë"),
        "{}",
        mail.text
    );
    let link = link_in(&mail.text);
    assert!(mail.html.contains(&format!("href=\"{link}\"")), "{}", mail.html);
    expect_token_stored_hashed(&test, &user, link).await;

    let [row] = <[mail::Model; 1]>::try_from(test.mails().await).unwrap();
    assert_eq!(
        (row.state, row.job_id, row.user_id),
        (MailState::Sent, Some(job.id), Some(user.id))
    );
    assert_eq!(
        (row.kind.as_str(), row.to_address.as_str(), row.subject.as_str()),
        ("welcome_email", "zoe@example.org", "Welcome to Café Usher")
    );
    assert_eq!(
        (row.message_id, row.answer),
        (mail.message_id.clone(), Some("250 OK".to_owned()))
    );
    assert_eq!(
        (row.text_body, row.html_body),
        (None, None),
        "the link is not kept where mail is sent"
    );
    assert!(row.sent_at.is_some());
    assert!(test.user(user.id).await.welcomed_at.is_some());
}

#[on_both]
async fn mails_are_in_the_name_of_the_product(db: TestDb) {
    let smtp = Smtp::start().await;
    let settings = [
        ("SMTP_URL", smtp.url()),
        ("MAIL_FROM", "hello@acme.example".to_owned()),
        ("PRODUCT_NAME", "Acme, Söhne & Co".to_owned()),
    ];
    let settings: Vec<_> = settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let test = TestWorker::with(db, &settings, true).await;
    let worker = test.start(registry());
    test.sign_up("Ada Lovelace", "ada@example.org").await;
    let mails = smtp.wait_for(1, PATIENCE).await;
    worker.stop().await;
    assert_eq!(mails[0].subject, "Welcome to Acme, Söhne & Co");
    assert!(
        mails[0]
            .header("From")
            .is_some_and(|from| from.contains("Acme, Söhne & Co")),
        "{:?}",
        mails[0].header("From")
    );
    assert!(
        !mails[0].text.contains("Usher") && !mails[0].html.contains("Usher"),
        "{}",
        mails[0].text
    );
}

#[on_both]
async fn an_address_with_marks_and_symbols_beyond_ascii_is_mailed(db: TestDb) {
    let smtp = Smtp::start().await;
    let test = with_smtp(db, &smtp).await;
    let worker = test.start(registry());
    for address in [
        "दीपक.शर्मा@example.org",
        "ada\u{2027}lovelace@example.org",
        "😀@example.org",
    ] {
        let user = test.sign_up("Deepak", address).await;
        test.reaches(test.job_of(&user).await.id, JobState::Done).await;
        assert!(smtp.mails().iter().any(|mail| mail.to == address), "{address}");
    }
    worker.stop().await;
}

#[on_both]
async fn without_a_mail_server_the_mail_is_kept_whole(db: TestDb) {
    let test = TestWorker::embedded(db).await;
    let worker = test.start(registry());
    let user = test.sign_up("Ada Lovelace", "ada@example.org").await;
    test.reaches(test.job_of(&user).await.id, JobState::Done).await;
    worker.stop().await;
    let [row] = <[mail::Model; 1]>::try_from(test.mails().await).unwrap();
    assert_eq!(
        (row.state, row.subject.as_str(), row.answer),
        (MailState::Kept, "Welcome to Usher", None)
    );
    let (text, html) = (row.text_body.unwrap(), row.html_body.unwrap());
    let link = link_in(&text);
    assert!(html.contains(link));
    expect_token_stored_hashed(&test, &user, link).await;
    assert!(test.user(user.id).await.welcomed_at.is_some());
}

#[on_both]
async fn nobody_is_welcomed_twice_and_who_is_gone_is_left_alone(db: TestDb) {
    let smtp = Smtp::start().await;
    let test = with_smtp(db, &smtp).await;
    let welcomed = test.sign_up("Ada Lovelace", "ada@example.org").await;
    let gone = test.sign_up("Bob Gone", "bob@example.org").await;
    let deleted = test.sign_up("Cid Deleted", "cid@example.org").await;
    let now = Expr::value(usher_shared::foundation::time::now());
    user::Entity::delete_by_id(gone.id)
        .exec(&test.context.db)
        .await
        .unwrap();
    user::Entity::update_many()
        .col_expr(user::Column::DeletedAt, now)
        .filter(user::Column::Id.eq(deleted.id))
        .exec(&test.context.db)
        .await
        .unwrap();
    let worker = test.start(registry());
    for user in [&welcomed, &gone, &deleted] {
        test.reaches(test.job_of(user).await.id, JobState::Done).await;
    }
    let job = test.job_of(&welcomed).await.id;
    for forget in ["UPDATE users SET age = 30", "UPDATE users SET welcomed_at = NULL"] {
        // The second time only the mail log remembers.
        test.sql(forget).await;
        let tx = test.context.job_store.begin().await.unwrap();
        assert!(
            matches!(jobs::retry(&tx, job).await, Err(OperationError::MailSent)),
            "staff are told"
        );
        drop(tx);
        let again = "state = 'ready', epoch = epoch + 1, finished_at = NULL, next_dispatch_at = created_at";
        test.sql(&format!("UPDATE jobs SET {again} WHERE user_id = {}", welcomed.id))
            .await;
        test.reaches(job, JobState::Done).await;
    }
    worker.stop().await;
    let to: Vec<_> = smtp.mails().into_iter().map(|mail| mail.to).collect();
    assert_eq!(to, ["ada@example.org"]);
    assert!(test.user(welcomed.id).await.welcomed_at.is_some());
}

#[on_both]
async fn a_busy_server_and_a_broken_connection_are_tried_again_under_the_same_message_id(db: TestDb) {
    let smtp = Smtp::start().await;
    let test = with_smtp(db, &smtp).await;
    let worker = test.start(registry());
    let busy = test.sign_up("Ada Lovelace", "temporary-failure@example.org").await;
    let broken = test.sign_up("Bob Cut", "hang-up@example.org").await;
    for (user, state, words) in [
        (&busy, MailState::Reserved, "the mail server answered 451 4.3.0"),
        (&broken, MailState::Unknown, "did not answer"),
    ] {
        let id = test.job_of(user).await.id;
        let job = eventually(PATIENCE, "the first attempt fails", async || {
            let job = test.job(id).await;
            (job.epoch == 1).then_some(job)
        })
        .await;
        assert_eq!((job.state, job.attempt), (JobState::Ready, 1));
        assert!(
            job.last_error.as_deref().is_some_and(|error| error.contains(words)),
            "{job:?}"
        );
        assert!(!job.last_error.unwrap().contains('@'), "no address in errors");
        let rows = mail::Entity::find()
            .filter(mail::Column::JobId.eq(id))
            .all(&test.context.db)
            .await
            .unwrap();
        assert_eq!(rows.iter().map(|row| row.state).collect::<Vec<_>>(), [state]);
        // The trouble is over, and staff need not wait for the backoff.
        let table = Expr::value("fine@example.org");
        user::Entity::update_many()
            .col_expr(user::Column::Email, table)
            .filter(user::Column::Id.eq(user.id))
            .exec(&test.context.db)
            .await
            .unwrap();
        let tx = test.context.job_store.begin().await.unwrap();
        jobs::run_now(&tx, id).await.unwrap();
        tx.commit().await.unwrap();
        test.reaches(id, JobState::Done).await;
        let sent = smtp.mails().pop().unwrap();
        assert_eq!(sent.message_id, format!("<{id}@usher.example>"));
    }
    worker.stop().await;
    assert_eq!(smtp.mails().len(), 2);
    for row in test.mails().await {
        assert_eq!(
            (row.state, row.to_address.as_str()),
            (MailState::Sent, "fine@example.org")
        );
    }
}

#[on_both]
async fn an_address_that_does_not_exist_is_dead_and_a_server_that_refuses_us_puts_the_job_off(db: TestDb) {
    let smtp = Smtp::start().await;
    let test = with_smtp(db, &smtp).await;
    let worker = test.start(registry());
    let nobody = test.sign_up("Ada Lovelace", "no-such-user@example.org").await;
    let full = test.sign_up("Bob Full", "mailbox-full@example.org").await;
    let refused = test.sign_up("Cid Refused", "policy@example.org").await;
    let fine = test.sign_up("Dee Fine", "dee@example.org").await;
    test.reaches(test.job_of(&fine).await.id, JobState::Done).await;
    for (user, code) in [(&nobody, "550 5.1.1"), (&full, "552 5.2.2")] {
        let job = test.reaches(test.job_of(user).await.id, JobState::Dead).await;
        assert_eq!(job.attempt, 1);
        assert!(
            job.last_error.as_deref().is_some_and(|error| error.contains(code)),
            "{job:?}"
        );
    }
    let id = test.job_of(&refused).await.id;
    let job = eventually(PATIENCE, "the job is put off", async || {
        let job = test.job(id).await;
        (job.epoch == 1).then_some(job)
    })
    .await;
    worker.stop().await;
    assert_eq!((job.state, job.attempt), (JobState::Ready, 0), "no attempt is burnt");
    assert!(job.run_at > usher_shared::foundation::time::now() + chrono::Duration::minutes(3));
    assert!(
        job.last_error
            .as_deref()
            .is_some_and(|error| error.contains("554 5.7.1")),
        "{job:?}"
    );
    let failed: Vec<_> = test
        .mails()
        .await
        .into_iter()
        .filter(|row| row.state == MailState::Failed)
        .collect();
    assert_eq!(failed.len(), 3);
    assert!(
        failed
            .iter()
            .all(|row| row.answer.as_deref().is_some_and(|answer| answer.starts_with('5')))
    );
    assert_eq!(smtp.mails().len(), 1);
}

#[on_both]
async fn a_mail_server_that_is_away_costs_time_and_no_mail(db: TestDb) {
    let mut smtp = Smtp::start().await;
    let test = with_smtp(db, &smtp).await;
    smtp.stop();
    let worker = test.start(registry());
    let user = test.sign_up("Ada Lovelace", "ada@example.org").await;
    let id = test.job_of(&user).await.id;
    eventually(PATIENCE, "the first attempt fails", async || {
        (test.job(id).await.epoch == 1).then_some(())
    })
    .await;
    let error = test.job(id).await.last_error.unwrap();
    assert!(error.contains("no mail server"), "{error}");
    smtp.start_again().await;
    let tx = test.context.job_store.begin().await.unwrap();
    jobs::run_now(&tx, id).await.unwrap();
    tx.commit().await.unwrap();
    test.reaches(id, JobState::Done).await;
    worker.stop().await;
    assert_eq!(smtp.mails().len(), 1);
}

#[on_both]
async fn no_name_can_add_a_header_a_recipient_or_markup(db: TestDb) {
    let smtp = Smtp::start().await;
    let test = with_smtp(db, &smtp).await;
    let evil = "Eve\r\nBcc: victim@example.org\r\n\r\n<script>alert(1)</script>";
    let user = test.sign_up("Eve", "eve@example.org").await;
    user::Entity::update_many()
        .col_expr(user::Column::Name, Expr::value(evil))
        .filter(user::Column::Id.eq(user.id))
        .exec(&test.context.db)
        .await
        .unwrap();
    let worker = test.start(registry());
    let mails = smtp.wait_for(1, PATIENCE).await;
    worker.stop().await;
    let recipients: Vec<_> = mails.iter().map(|mail: &Mail| mail.to.as_str()).collect();
    assert_eq!(recipients, ["eve@example.org"]);
    assert_eq!(mails[0].header("Bcc"), None);
    assert!(!mails[0].html.contains("<script>"), "{}", mails[0].html);
}

#[on_both]
async fn two_hundred_sign_ups_are_two_hundred_different_mails(db: TestDb) {
    let smtp = Smtp::start().await;
    let test = with_smtp(db, &smtp).await;
    let worker = test.start(registry());
    for number in 0..200 {
        test.sign_up("Ada Lovelace", &format!("ada{number}@example.org")).await;
    }
    let mails = smtp.wait_for(200, PATIENCE).await;
    worker.stop().await;
    let mut to: Vec<_> = mails.iter().map(|mail| mail.to.as_str()).collect();
    to.sort_unstable();
    to.dedup();
    assert_eq!((mails.len(), to.len()), (200, 200));
}
