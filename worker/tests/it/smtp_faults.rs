//! What each misbehaviour of a mail server does to the job, the mail log, the breaker and the address. The same table,
//! for operators, is in `docs/jobs.md`.

use std::time::Duration;

use sea_orm::EntityTrait;
use usher_shared::{
    foundation::{
        entity::{
            job::{self, JobState},
            mail::MailState,
            mail_breaker, mail_suppression,
        },
        time::now,
    },
    jobs,
};
use usher_testkit::{Deed, SmtpSink, Step, TestDb, eventually, on_both, run};
use usher_worker::registry;

use crate::test_worker::{PATIENCE, TestWorker};

/// One misbehaviour and what is left after the first try.
struct Case {
    step: Step,
    deed: Deed,
    /// What comes after the server's address in `SMTP_URL`.
    settings: &'static str,
    left: Left,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Left {
    job: JobState,
    attempt: i32,
    mail: MailState,
    breaker: bool,
    dead_address: bool,
}

/// Tried again by the policy; the attempt counts.
const LATER: Left = Left {
    job: JobState::Ready,
    attempt: 1,
    mail: MailState::Reserved,
    breaker: false,
    dead_address: false,
};
/// The same, but the mail may have arrived.
const UNKNOWN: Left = Left {
    mail: MailState::Unknown,
    ..LATER
};
/// Held with all other mail; no attempt counts.
const HELD_BACK: Left = Left {
    attempt: 0,
    mail: MailState::Failed,
    breaker: true,
    ..LATER
};
/// The one mail was refused, perhaps for what we are: tried again, no attempt counts, nothing else waits yet.
const REFUSED: Left = Left {
    breaker: false,
    ..HELD_BACK
};
/// Over: this address will not do.
const DEAD: Left = Left {
    job: JobState::Dead,
    mail: MailState::Failed,
    ..LATER
};
const DEAD_ADDRESS: Left = Left {
    dead_address: true,
    ..DEAD
};

fn case(step: Step, deed: Deed, left: Left) -> Case {
    Case {
        step,
        deed,
        settings: "",
        left,
    }
}

fn says(step: Step, line: &'static str, left: Left) -> Case {
    case(step, Deed::Says(line), left)
}

fn with_tls(deed: Deed) -> Case {
    Case {
        settings: "?tls=required",
        ..case(Step::StartTls, deed, LATER)
    }
}

#[test]
fn each_misbehaviour_of_a_mail_server_has_its_consequence() {
    run(async {
        for case in [
            says(Step::Greeting, "421 4.3.2 Shutting down", LATER),
            case(Step::Greeting, Deed::Drops, LATER),
            says(Step::Sender, "451 4.3.0 Later", LATER),
            says(Step::Recipient, "451 4.7.1 Greylisted", LATER),
            says(Step::Recipient, "452 4.2.2 Over quota", LATER),
            says(Step::Data, "451 4.3.0 Later", LATER),
            says(Step::Body, "451 4.3.0 Later", LATER),
            case(Step::Recipient, Deed::Drops, LATER),
            with_tls(Deed::Says("454 4.7.0 TLS not available")),
            with_tls(Deed::Drops),
            with_tls(Deed::SpeaksNoTls),
            case(Step::MidBody, Deed::Drops, UNKNOWN),
            case(Step::Body, Deed::Drops, UNKNOWN),
            case(Step::Accepted, Deed::Drops, UNKNOWN),
            says(Step::Recipient, "550 5.1.1 No such user", DEAD_ADDRESS),
            says(Step::Recipient, "552 5.2.2 Mailbox full", DEAD),
            says(Step::Recipient, "550 No such user", DEAD),
            says(Step::Recipient, "501 Syntax error", DEAD),
            says(Step::Body, "550 5.1.1 No such user", DEAD_ADDRESS),
            says(Step::Recipient, "500 Syntax error", REFUSED),
            says(Step::Recipient, "554 Relay access denied", REFUSED),
            says(Step::Recipient, "550 5.7.1 Relaying denied", REFUSED),
            says(Step::Body, "554 5.3.0 Out of order", REFUSED),
            says(Step::Sender, "550 5.1.1 Unknown sender", HELD_BACK),
            says(Step::Greeting, "554 5.7.1 Go away", HELD_BACK),
            says(Step::Sender, "550 5.7.1 Sender refused", HELD_BACK),
            Case {
                settings: "user:secret@",
                ..says(Step::LogIn, "535 5.7.8 Bad credentials", HELD_BACK)
            },
        ] {
            case.holds().await;
        }
    });
}

#[test]
fn a_server_without_the_tls_that_is_required_is_sent_nothing() {
    run(async {
        let sink = SmtpSink::start().await;
        let (test, id) = one_mail(&format!("{}?tls=required", sink.url())).await;
        let working = test.start(registry());
        let left = left(&test, id).await;
        working.stop().await;
        assert_eq!(left, LATER);
        assert_eq!(sink.accepted(), []);
    });
}

#[test]
fn a_server_that_hangs_after_the_body_is_left_after_half_a_minute_and_the_mail_is_unknown() {
    run(async {
        let sink = SmtpSink::start().await;
        sink.misbehave(Step::Body, Deed::Hangs);
        let (test, id) = one_mail(&sink.url()).await;
        let working = test.start(registry());
        tokio::time::sleep(Duration::from_secs(20)).await;
        let held = test.job(id).await;
        assert!(
            held.state == JobState::Running && held.lease_until.unwrap() > now(),
            "its lease is renewed: {held:?}"
        );
        assert_eq!(left(&test, id).await, UNKNOWN);
        let mail = test.mails().await.remove(0);
        assert!(
            mail.answer
                .as_deref()
                .is_some_and(|answer| answer.contains("no answer within 30s")),
            "{mail:?}"
        );

        sink.behave();
        let tx = test.context.job_store.begin().await.unwrap();
        jobs::run_now(&tx, id).await.unwrap();
        tx.commit().await.unwrap();
        test.reaches(id, JobState::Done).await;
        working.stop().await;
        assert_eq!(test.mails().await[0].state, MailState::Sent);
        assert_eq!(sink.accepted().len(), 1);
    });
}

#[on_both]
async fn an_address_beyond_ascii_waits_for_no_server_that_cannot_take_it_and_is_not_blamed(db: TestDb) {
    let sink = SmtpSink::start().await;
    sink.know_ascii_alone();
    let test = TestWorker::with(db, &[("SMTP_URL", &sink.url())], true).await;
    let [beyond, domain, ascii] = ["öde@example.org", "ada@bücher.example", "bob@example.org"];
    let mut jobs = vec![];
    for address in [beyond, domain, ascii] {
        let user = test.sign_up("Ada Lovelace", address).await;
        jobs.push(test.job_of(&user).await.id);
    }
    let working = test.start(registry());
    let dead = test.reaches(jobs[0], JobState::Dead).await;
    for id in &jobs[1..] {
        test.reaches(*id, JobState::Done).await;
    }
    working.stop().await;
    assert!(
        dead.last_error.as_deref().is_some_and(|why| why.contains("SMTPUTF8")),
        "{dead:?}"
    );
    let mails = test.mails().await;
    let mail = mails.iter().find(|mail| mail.job_id == Some(dead.id)).unwrap();
    let answer = mail.answer.as_deref().unwrap();
    assert!(
        mail.state == MailState::Failed && answer.contains("not sent") && answer.contains("SMTPUTF8"),
        "{mail:?}"
    );
    let conn = &test.context.db;
    assert!(mail_suppression::Entity::find().all(conn).await.unwrap().is_empty());
    assert!(mail_breaker::Entity::find().all(conn).await.unwrap().is_empty());
    let mut sent: Vec<_> = sink.accepted().into_iter().map(|mail| mail.to).collect();
    sent.sort_unstable();
    assert_eq!(sent, ["ada@xn--bcher-kva.example", "bob@example.org"]);
}

#[on_both]
async fn a_mail_whose_acceptance_got_lost_comes_again_under_the_same_message_id(db: TestDb) {
    let sink = SmtpSink::start().await;
    sink.misbehave(Step::Accepted, Deed::Drops);
    let test = TestWorker::with(db, &[("SMTP_URL", &sink.url())], true).await;
    let user = test.sign_up("Ada Lovelace", "ada@example.org").await;
    let id = test.job_of(&user).await.id;
    let working = test.start(registry());
    assert_eq!(left(&test, id).await, UNKNOWN);
    sink.behave();
    let tx = test.context.job_store.begin().await.unwrap();
    jobs::run_now(&tx, id).await.unwrap();
    tx.commit().await.unwrap();
    test.reaches(id, JobState::Done).await;
    working.stop().await;
    let [first, second] = <[_; 2]>::try_from(sink.accepted()).unwrap();
    assert_eq!(first, second);
    assert_eq!(test.mails().await[0].state, MailState::Sent);
}

#[on_both]
async fn two_workers_share_one_breaker(db: TestDb) {
    let sink = SmtpSink::start().await;
    sink.misbehave(Step::Sender, Deed::Says("550 5.7.1 Sender refused"));
    let url = sink.url();
    let settings = [("SMTP_URL", url.as_str())];
    let first = TestWorker::with(db, &settings, false).await;
    let second = TestWorker::at_with(first.url(), &settings).await;
    for number in 0..60 {
        first.sign_up("Ada Lovelace", &format!("ada{number}@example.org")).await;
    }
    let working = [first.start(registry()), second.start(registry())];
    let jobs = async || job::Entity::find().all(&first.context.db).await.unwrap();
    eventually(PATIENCE, "all mail is held back", async || {
        let held = |job: &job::Model| job.state == JobState::Ready && job.run_at > now() && job.attempt == 0;
        jobs().await.iter().all(held).then_some(())
    })
    .await;
    let breakers = mail_breaker::Entity::find().all(&first.context.db).await.unwrap();
    assert_eq!(
        breakers.iter().map(|open| open.refusals).collect::<Vec<_>>(),
        [1],
        "{breakers:?}"
    );

    // The pause is over: whichever worker gets to it asks with one mail, and both send the rest.
    sink.behave();
    first.sql("UPDATE mail_breakers SET probe_at = opened_at").await;
    let asking = jobs().await.into_iter().min_by_key(|job| job.run_at).unwrap();
    let tx = second.context.job_store.begin().await.unwrap();
    jobs::run_now(&tx, asking.id).await.unwrap();
    tx.commit().await.unwrap();
    eventually(PATIENCE, "all are done", async || {
        jobs()
            .await
            .iter()
            .all(|job| (job.state, job.attempt) == (JobState::Done, 1))
            .then_some(())
    })
    .await;
    for worker in working {
        worker.stop().await;
    }
    let mut ids: Vec<_> = sink.accepted().into_iter().map(|mail| mail.message_id).collect();
    ids.sort_unstable();
    let all = ids.len();
    ids.dedup();
    assert_eq!((all, ids.len()), (60, 60), "each mail once");
    assert!(
        mail_breaker::Entity::find()
            .all(&first.context.db)
            .await
            .unwrap()
            .is_empty()
    );
}

impl Case {
    async fn holds(self) {
        let sink = SmtpSink::start().await;
        sink.misbehave(self.step, self.deed.clone());
        let url = if self.settings.ends_with('@') {
            sink.url().replace("smtp://", &format!("smtp://{}", self.settings))
        } else {
            sink.url() + self.settings
        };
        let (test, id) = one_mail(&url).await;
        let working = test.start(registry());
        let left = left(&test, id).await;
        working.stop().await;
        assert_eq!(
            left,
            self.left,
            "{:?}: {:?}: {:?}",
            self.step,
            self.deed,
            test.job(id).await
        );
        let mail = test.mails().await.remove(0);
        if let Deed::Says(line) = self.deed {
            let answer = mail.answer.as_deref().unwrap_or_default();
            assert!(
                answer.contains(line),
                "the mail log says what the server said: {answer:?}"
            );
        }
    }
}

/// A test worker with one mail to send there.
async fn one_mail(smtp_url: &str) -> (TestWorker, uuid::Uuid) {
    let test = TestWorker::with(TestDb::sqlite().await, &[("SMTP_URL", smtp_url)], true).await;
    let user = test.sign_up("Ada Lovelace", "ada@example.org").await;
    let id = test.job_of(&user).await.id;
    (test, id)
}

/// How things stand once the first try is over.
async fn left(test: &TestWorker, id: uuid::Uuid) -> Left {
    let job = eventually(PATIENCE * 2, "the try is over", async || {
        let job = test.job(id).await;
        (job.state == JobState::Dead || (job.state == JobState::Ready && job.epoch > 0)).then_some(job)
    })
    .await;
    assert!(job.state == JobState::Dead || job.run_at > now(), "{job:?}");
    assert!(job.last_error.is_some(), "{job:?}");
    let db = &test.context.db;
    Left {
        job: job.state,
        attempt: job.attempt,
        mail: test.mails().await[0].state,
        breaker: !mail_breaker::Entity::find().all(db).await.unwrap().is_empty(),
        dead_address: !mail_suppression::Entity::find().all(db).await.unwrap().is_empty(),
    }
}
