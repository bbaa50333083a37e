//! `staff_digest`: a daily mail to superusers. There is none on a day without news.

use sea_orm::{ColumnTrait, ConnectionTrait, DbErr, EntityTrait, PaginatorTrait, QueryFilter};
use serde::{Deserialize, Serialize};
use usher_shared::{
    foundation::{
        entity::{
            job::{self, JobState},
            mail::{self, MailState},
            mail_breaker, mail_suppression, user,
        },
        time::{first_id, now},
    },
    jobs::{EnqueueOptions, Job, MAIL_QUEUE, Priority, enqueue_with},
};

use crate::{foundation::JobError, mail::moment, runtime::JobContext, texts};

/// Enqueues one mail for each superuser if there is news.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct StaffDigest {}

impl Job for StaffDigest {
    const KIND: &'static str = "staff_digest";
    const PRIORITY: Priority = Priority::Low;
}

/// The mail to one superuser.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct StaffDigestMail {
    user_id: i64,
}

impl Job for StaffDigestMail {
    const KIND: &'static str = "staff_digest_mail";
    const QUEUE: &'static str = MAIL_QUEUE;
    const PRIORITY: Priority = Priority::Low;

    fn user_id(&self) -> Option<i64> {
        Some(self.user_id)
    }
}

pub(super) async fn gather(_: StaffDigest, context: JobContext) -> Result<(), JobError> {
    if News::read(&context.db).await?.is_quiet() {
        return Ok(());
    }
    let superusers = user::Entity::find()
        .filter(user::Column::IsSuperuser.eq(true))
        .all(&context.db)
        .await?;
    let tx = context.begin().await?;
    for user in superusers.iter().filter(|user| user.may_sign_in(now())) {
        // Pointless once the next one is due.
        let options = EnqueueOptions::default().expires_at(now() + chrono::Duration::hours(23));
        enqueue_with(&tx, StaffDigestMail { user_id: user.id }, options).await?;
    }
    context.complete(tx).await
}

pub(super) async fn send(job: StaffDigestMail, context: JobContext) -> Result<(), JobError> {
    let Some(user) = context.account(job.user_id).await?.filter(|user| user.is_superuser) else {
        return Ok(());
    };
    let news = News::read(&context.db).await?;
    let message = context
        .message(&texts::STAFF_DIGEST)
        .fact(texts::DIGEST_ACCOUNTS, news.accounts.to_string())
        .fact(texts::DIGEST_SENT, news.sent.to_string())
        .fact(texts::DIGEST_FAILED, news.failed.to_string())
        .fact(texts::DIGEST_DEAD, news.dead.to_string())
        .fact(texts::DIGEST_SUPPRESSED, news.suppressed.to_string());
    let message = news.breakers.iter().fold(message, |message, breaker| {
        message.line(texts::mail_on_hold(&moment(breaker.opened_at), &breaker.reason))
    });
    context.post(&user, message).await
}

/// Mail that was on hold for longer is not counted as sent.
const HELD_BACK: chrono::Duration = chrono::Duration::days(30);

/// The last 24 hours.
struct News {
    accounts: u64,
    sent: u64,
    failed: u64,
    dead: u64,
    suppressed: u64,
    breakers: Vec<mail_breaker::Model>,
}

impl News {
    async fn read(db: &impl ConnectionTrait) -> Result<Self, DbErr> {
        let since = now() - chrono::Duration::days(1);
        // Ids are UUIDv7, so those of the last day are found by the primary key. They tell when a mail was recorded,
        // which may be long before it was sent.
        let mails = |state, since| {
            let of_state = mail::Entity::find().filter(mail::Column::State.eq(state));
            of_state.filter(mail::Column::Id.gte(first_id(since)))
        };
        let sent = mails(MailState::Sent, since - HELD_BACK).filter(mail::Column::SentAt.gt(since));
        let dead = job::Entity::find().filter(job::Column::State.eq(JobState::Dead));
        let suppressed = mail_suppression::Entity::find().filter(mail_suppression::Column::CreatedAt.gt(since));
        Ok(Self {
            accounts: user::Entity::find()
                .filter(user::Column::CreatedAt.gt(since))
                .count(db)
                .await?,
            sent: sent.count(db).await? + mails(MailState::Kept, since).count(db).await?,
            failed: mails(MailState::Failed, since).count(db).await?,
            dead: dead.filter(job::Column::FinishedAt.gt(since)).count(db).await?,
            suppressed: suppressed.count(db).await?,
            breakers: mail_breaker::Entity::find().all(db).await?,
        })
    }

    /// Sent mail alone is no news: it may be yesterday's digest.
    fn is_quiet(&self) -> bool {
        self.accounts + self.failed + self.dead + self.suppressed == 0 && self.breakers.is_empty()
    }
}
