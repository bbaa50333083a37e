//! The words of every mail, against the files in `mails/`. What a mail says now lies in the target folder's
//! `tmp/mails`, with its HTML, to be looked at and copied.

use std::{
    fs,
    path::{Path, PathBuf},
};

use chrono::{DateTime, Duration, Utc};
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, QueryOrder};
use usher_shared::{
    accounts::{api_keys, mail_tokens::LinkPurpose, users},
    foundation::{
        crypto::sha256,
        entity::{
            job::JobState,
            job_schedule,
            mail::{self, MailState},
            mail_token,
            session::{self, SessionKind},
        },
        time::now,
    },
    jobs::{
        AddressOfDeletedAccount, ApiKeyChanged, DeletionScheduled, EmailChangeConfirm, EmailChangeUndo, KeyChange,
        MfaChange, MfaChanged, NewSignIn, PasswordChanged, PasswordReset, SessionReuse, SomeoneTriedToSignUp,
        VerifyEmail,
    },
};
use usher_testkit::{Smtp, TestDb, eventually, on_both};
use usher_worker::registry;
use uuid::Uuid;

use crate::test_worker::{PATIENCE, TestWorker};

const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";

#[on_both]
async fn every_mail_says_what_it_is_about_in_text_and_in_html(db: TestDb) {
    let test = test_worker(db).await;
    let worker = test.start(registry());
    let user = test.sign_up("Ada Lovelace", "ada@example.org").await;
    let user_id = user.id;
    let welcome = test.job_of(&user).await.id;
    let (session_id, delete_at) = (a_session(&test, user_id).await, now() + Duration::days(7));
    let (key, _) = api_keys::create(&test.context.db, "billing", &[], None, Some(user_id))
        .await
        .unwrap();
    test.sql("UPDATE api_keys SET hint = 'uak_billing'").await;
    let key_id = key.id;
    let (new_email, old_email) = ("ada@new.example".to_owned(), "ada@old.example".to_owned());
    let mails = [
        (welcome, Some((LinkPurpose::SET_PASSWORD, 72 * 60))),
        (
            test.enqueue(VerifyEmail { user_id }).await,
            Some((LinkPurpose::VERIFY_EMAIL, 72 * 60)),
        ),
        (test.enqueue(SomeoneTriedToSignUp { user_id }).await, None),
        (
            test.enqueue(PasswordReset { user_id }).await,
            Some((LinkPurpose::PASSWORD_RESET, 30)),
        ),
        (test.enqueue(PasswordChanged { user_id }).await, None),
        (
            test.enqueue(EmailChangeConfirm { user_id, new_email }).await,
            Some((LinkPurpose::EMAIL_CHANGE_CONFIRM, 24 * 60)),
        ),
        (
            test.enqueue(EmailChangeUndo { user_id, old_email }).await,
            Some((LinkPurpose::EMAIL_CHANGE_UNDO, 72 * 60)),
        ),
        (test.enqueue(NewSignIn { user_id, session_id }).await, None),
        (test.enqueue(SessionReuse { user_id, session_id }).await, None),
        (
            test.enqueue(MfaChanged {
                user_id,
                change: MfaChange::Added,
            })
            .await,
            None,
        ),
        (
            test.enqueue(ApiKeyChanged {
                user_id,
                key_id,
                change: KeyChange::Made,
            })
            .await,
            None,
        ),
        (
            test.enqueue(DeletionScheduled { user_id, delete_at }).await,
            Some((LinkPurpose::CANCEL_DELETION, 7 * 24 * 60)),
        ),
    ];
    let mut different = Vec::new();
    for (id, token) in mails {
        let job = test.reaches(id, JobState::Done).await;
        let mail = mail_of(&test, id).await;
        assert_eq!(
            (mail.state, &mail.kind, mail.user_id),
            (MailState::Kept, &job.kind, Some(user_id))
        );
        let link = match token {
            Some((purpose, minutes)) => Some(expect_token(&test, &mail, purpose, minutes).await),
            None => None,
        };
        let times = [job.created_at, delete_at]
            .into_iter()
            .chain(link.map(|link| link.expires_at));
        if reads_differently(&mail, times) {
            different.push(mail.kind);
        }
    }
    test.sql("UPDATE users SET deleted_at = created_at").await;
    let deleted = test.enqueue(AddressOfDeletedAccount { user_id }).await;
    test.reaches(deleted, JobState::Done).await;
    let mail = mail_of(&test, deleted).await;
    if reads_differently(&mail, [user.created_at, user.created_at + users::RESTORABLE]) {
        different.push(mail.kind);
    }
    worker.stop().await;
    assert!(different.is_empty(), "{different:?} in {}", seen().display());
}

#[on_both]
async fn an_address_that_nobody_has_proved_is_sent_nothing_that_a_stranger_wrote(db: TestDb) {
    const LURE: &str = "Free prize at https://evil.example";
    let smtp = Smtp::start().await;
    let test = TestWorker::with(db, &[("SMTP_URL", &smtp.url())], true).await;
    let user = test.sign_up(LURE, "ada@example.org").await;
    let user_id = user.id;
    let worker = test.start(registry());
    let (new_email, old_email) = ("ada@new.example".to_owned(), "ada@old.example".to_owned());
    let delete_at = now() + Duration::days(7);
    for id in [
        test.job_of(&user).await.id,
        test.enqueue(VerifyEmail { user_id }).await,
        test.enqueue(SomeoneTriedToSignUp { user_id }).await,
        test.enqueue(PasswordReset { user_id }).await,
        test.enqueue(PasswordChanged { user_id }).await,
        test.enqueue(EmailChangeUndo { user_id, old_email }).await,
        test.enqueue(MfaChanged {
            user_id,
            change: MfaChange::Added,
        })
        .await,
        test.enqueue(DeletionScheduled { user_id, delete_at }).await,
    ] {
        test.reaches(id, JobState::Done).await;
    }
    test.sql("UPDATE users SET email_verified_at = created_at").await;
    let confirm = test.enqueue(EmailChangeConfirm { user_id, new_email }).await;
    test.reaches(confirm, JobState::Done).await;
    let strangers = smtp.mails();
    assert_eq!(strangers.len(), 9);
    for mail in &strangers {
        let whole = format!("{:?} {} {} {}", mail.header("To"), mail.subject, mail.text, mail.html);
        assert!(!whole.contains("prize") && !whole.contains("evil"), "{whole}");
    }
    let proved = test.enqueue(PasswordChanged { user_id }).await;
    test.reaches(proved, JobState::Done).await;
    worker.stop().await;
    let last = smtp.mails().pop().unwrap();
    assert!(
        last.header("To").unwrap().contains("Free prize"),
        "after the proof names are shown"
    );
}

#[on_both]
async fn of_two_requests_the_newer_one_is_mailed_and_the_link_of_a_mail_sent_again_stays(db: TestDb) {
    let test = TestWorker::embedded(db).await;
    let user = test.sign_up("Ada Lovelace", "ada@example.org").await;
    test.sql("DELETE FROM jobs").await;
    let mut requests = Vec::new();
    for _ in 0..3 {
        let tx = test.context.job_store.begin().await.unwrap();
        requests.push(
            users::send_password_reset(&tx, user.id, usher_shared::jobs::EnqueueOptions::default())
                .await
                .unwrap()
                .id(),
        );
        tx.commit().await.unwrap();
    }
    let workers = [test.start(registry()), test.start(registry())];
    for id in &requests {
        test.reaches(*id, JobState::Done).await;
    }
    let [mail] = <[mail::Model; 1]>::try_from(test.mails().await).unwrap();
    assert_eq!(mail.job_id, requests.last().copied());
    let alive = async || {
        let alive = mail_token::Entity::find().filter(mail_token::Column::UsedAt.is_null());
        alive.all(&test.context.db).await.unwrap()
    };
    let hash = sha256(link_token(&mail).as_bytes());
    let [link] = <[mail_token::Model; 1]>::try_from(alive().await).unwrap();
    assert_eq!(
        (link.token_hash, link.email.as_deref()),
        (hash.to_vec(), Some("ada@example.org"))
    );
    // The worker died before it could note that the mail was sent.
    test.sql("UPDATE mails SET state = 'reserved'").await;
    let retry = async |id| {
        let tx = test.context.job_store.begin().await.unwrap();
        usher_shared::jobs::retry(&tx, id).await.unwrap();
        tx.commit().await.unwrap();
        test.reaches(id, JobState::Done).await;
    };
    retry(mail.job_id.unwrap()).await;
    assert_eq!(link_token(&test.mails().await[0]), link_token(&mail));
    retry(requests[0]).await;
    assert_eq!(
        (test.mails().await.len(), alive().await.len()),
        (1, 1),
        "an older request does not come back"
    );
    test.sql("UPDATE mail_tokens SET used_at = created_at").await;
    test.sql("UPDATE mails SET state = 'reserved'").await;
    retry(mail.job_id.unwrap()).await;
    assert_eq!(alive().await.len(), 0, "nor does one that was used");
    for worker in workers {
        worker.stop().await;
    }
}

#[on_both]
async fn mails_about_an_address_go_to_that_address(db: TestDb) {
    let test = test_worker(db).await;
    let user_id = test.sign_up("Ada Lovelace", "ada@example.org").await.id;
    let worker = test.start(registry());
    let confirm = test
        .enqueue(EmailChangeConfirm {
            user_id,
            new_email: "ada@new.example".to_owned(),
        })
        .await;
    let undo = test
        .enqueue(EmailChangeUndo {
            user_id,
            old_email: "ada@old.example".to_owned(),
        })
        .await;
    let same = test
        .enqueue(EmailChangeConfirm {
            user_id,
            new_email: "ada@example.org".to_owned(),
        })
        .await;
    for (id, address, purpose) in [
        (confirm, "ada@new.example", LinkPurpose::EMAIL_CHANGE_CONFIRM),
        (undo, "ada@old.example", LinkPurpose::EMAIL_CHANGE_UNDO),
    ] {
        test.reaches(id, JobState::Done).await;
        assert_eq!(mail_of(&test, id).await.to_address, address);
        let tokens = mail_token::Entity::find()
            .filter(mail_token::Column::Purpose.eq(purpose.as_str()))
            .all(&test.context.db)
            .await
            .unwrap();
        assert_eq!(
            tokens.iter().map(|token| token.email.as_deref()).collect::<Vec<_>>(),
            [Some(address)]
        );
    }
    test.reaches(same, JobState::Done).await;
    worker.stop().await;
    assert!(
        test.mails().await.iter().all(|mail| mail.job_id != Some(same)),
        "the change is done already"
    );
}

#[on_both]
async fn no_mail_goes_out_that_is_no_longer_true(db: TestDb) {
    let test = test_worker(db).await;
    let user = test.sign_up("Ada Lovelace", "ada@example.org").await;
    let gone = test.sign_up("Bob Gone", "bob@example.org").await;
    test.sql("DELETE FROM jobs").await;
    test.sql(&format!(
        "UPDATE users SET email_verified_at = created_at WHERE id = {}",
        user.id
    ))
    .await;
    test.sql(&format!(
        "UPDATE users SET deleted_at = created_at WHERE id = {}",
        gone.id
    ))
    .await;
    let worker = test.start(registry());
    let late = now() - Duration::minutes(1);
    for id in [
        test.enqueue(VerifyEmail { user_id: user.id }).await,
        test.enqueue(NewSignIn {
            user_id: user.id,
            session_id: Uuid::now_v7(),
        })
        .await,
        test.enqueue(DeletionScheduled {
            user_id: user.id,
            delete_at: late,
        })
        .await,
        test.enqueue(PasswordReset { user_id: gone.id }).await,
    ] {
        test.reaches(id, JobState::Done).await;
    }
    worker.stop().await;
    assert!(test.mails().await.is_empty());
}

#[on_both]
async fn the_digest_goes_to_superusers_and_only_when_there_is_news(db: TestDb) {
    let test = test_worker(db).await;
    let user = test.sign_up("Ada Lovelace", "ada@example.org").await;
    test.sign_up("Bob Reader", "bob@example.org").await;
    test.sql("DELETE FROM jobs").await;
    test.sql(&format!(
        "UPDATE users SET is_staff = true, is_superuser = true WHERE id = {}",
        user.id
    ))
    .await;
    let worker = test.start(registry());
    tick(&test).await;
    let digest = eventually(PATIENCE, "the digest is kept", async || test.mails().await.pop()).await;
    test.reaches(digest.job_id.unwrap(), JobState::Done).await;
    let digest = mail_of(&test, digest.job_id.unwrap()).await;
    assert_eq!(
        (digest.to_address.as_str(), test.mails().await.len()),
        ("ada@example.org", 1)
    );
    assert!(!reads_differently(&digest, []), "{}", seen().display());

    test.sql("UPDATE users SET created_at = '2026-01-01T00:00:00+00:00'")
        .await;
    test.sql("DELETE FROM jobs").await;
    tick(&test).await;
    eventually(PATIENCE, "the next tick is over", async || {
        // Not all jobs: another schedule may be due in the same moment.
        let jobs = test.jobs_of_kind("staff_digest").await;
        (jobs.len() == 1 && jobs[0].state == JobState::Done).then_some(())
    })
    .await;
    worker.stop().await;
    assert_eq!(test.mails().await.len(), 1, "a quiet day");
}

async fn test_worker(db: TestDb) -> TestWorker {
    TestWorker::with(db, &[("ADMIN_URL", "https://admin.example.org")], true).await
}

async fn mail_of(test: &TestWorker, job_id: Uuid) -> mail::Model {
    let query = mail::Entity::find().filter(mail::Column::JobId.eq(job_id));
    query.one(&test.context.db).await.unwrap().unwrap()
}

/// The link's token is the one that was stored last for this purpose, by its hash, and lives as long as it should.
async fn expect_token(test: &TestWorker, mail: &mail::Model, purpose: LinkPurpose, minutes: i64) -> mail_token::Model {
    let query = mail_token::Entity::find().filter(mail_token::Column::Purpose.eq(purpose.as_str()));
    let stored = query
        .order_by_desc(mail_token::Column::Id)
        .one(&test.context.db)
        .await
        .unwrap()
        .unwrap();
    let text = mail.text_body.as_deref().unwrap();
    let raw = text.split_once("token=").unwrap().1.lines().next().unwrap();
    assert_eq!(stored.token_hash, sha256(raw.as_bytes()), "{}", mail.kind);
    let lifetime = stored.expires_at - stored.created_at;
    assert!(
        (lifetime - Duration::minutes(minutes)).abs() < Duration::minutes(1),
        "{}: {lifetime}",
        mail.kind
    );
    stored
}

fn link_token(mail: &mail::Model) -> String {
    let text = mail.text_body.as_deref().expect("a text");
    let raw = text.split_once("token=").expect("a link").1;
    raw.lines().next().expect("a token").to_owned()
}

/// Where the mails of the last run lie.
fn seen() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("mails")
}

/// Compares the mail with its file, tokens and times aside. The HTML must hold the same words.
fn reads_differently(mail: &mail::Model, times: impl IntoIterator<Item = DateTime<Utc>>) -> bool {
    let (text, html) = (mail.text_body.as_deref().unwrap(), mail.html_body.as_deref().unwrap());
    let mut actual = format!("Subject: {}\nTo: {}\n\n{text}\n", mail.subject, mail.to_address);
    let times = times.into_iter();
    let mut times: Vec<_> = times
        .map(|time| time.format("%-d %B %Y, %H:%M UTC").to_string())
        .collect();
    // The longest first: the 1st of a month is part of its 31st.
    times.sort_by_key(|time| std::cmp::Reverse(time.len()));
    for time in times {
        actual = actual.replace(&time, "<time>");
    }
    if let Some((before, after)) = actual.split_once("token=") {
        let rest = after.split_once('\n').unwrap().1;
        actual = format!("{before}token=<token>\n{rest}");
    }
    fs::create_dir_all(seen()).unwrap();
    fs::write(seen().join(format!("{}.html", mail.kind)), html).unwrap();
    fs::write(seen().join(format!("{}.txt", mail.kind)), &actual).unwrap();
    assert!(
        text.lines()
            .all(|line| line.chars().count() <= 78 || line.contains("token=")),
        "{text}"
    );
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let html = words(html);
    for paragraph in text.split("\n\n").filter(|part| !part.contains([':', '-', '\''])) {
        assert!(
            html.contains(&words(paragraph)),
            "{paragraph:?} is missing in the HTML of {}",
            mail.kind
        );
    }
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/it/mails/{}.txt", mail.kind));
    actual != fs::read_to_string(file).unwrap_or_default()
}

async fn a_session(test: &TestWorker, user_id: i64) -> Uuid {
    let (id, at) = (Uuid::now_v7(), now());
    let row = session::ActiveModel {
        id: Set(id),
        user_id: Set(user_id),
        kind: Set(SessionKind::Api),
        token_hash: Set(id.as_bytes().to_vec()),
        address: Set(Some("203.0.113.7".to_owned())),
        user_agent: Set(Some(FIREFOX.to_owned())),
        created_at: Set(at),
        last_seen_at: Set(at),
        expires_at: Set(at + Duration::days(30)),
        ..Default::default()
    };
    session::Entity::insert(row)
        .exec_without_returning(&test.context.db)
        .await
        .unwrap();
    id
}

/// Lets the time of the digest come.
async fn tick(test: &TestWorker) {
    eventually(PATIENCE, "the schedule is declared", async || {
        let due = sea_orm::sea_query::Expr::value(now() - Duration::seconds(1));
        let update = job_schedule::Entity::update_many().col_expr(job_schedule::Column::NextRunAt, due);
        let update = update.filter(job_schedule::Column::Name.eq("staff_digest"));
        (update.exec(&test.context.db).await.unwrap().rows_affected == 1).then_some(())
    })
    .await;
}
