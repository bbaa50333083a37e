//! `staff_digest`: once a day, what superusers should know. A day without news sends none.

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

use crate::{JobContext, JobError, Letter};

/// The tick: looks whether there is news, and writes one mail job for each superuser.
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
        // Pointless once the next one comes.
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
    let (product, admin) = (context.product(), &context.config.admin_url);
    let mut letter = Letter::new(format!("{product}, the last 24 hours"))
        .line(format!(
            "What happened in {product} since this time yesterday. More is in the admin: {admin}/admin"
        ))
        .fact("New accounts", news.accounts.to_string())
        .fact("Mails sent", news.sent.to_string())
        .fact("Mails that failed", news.failed.to_string())
        .fact("Dead jobs", news.dead.to_string())
        .fact("Dead addresses", news.suppressed.to_string())
        .why(format!(
            "You receive this mail because you are a superuser of {product}."
        ));
    for breaker in news.breakers {
        letter = letter.line(format!(
            "Mail waits since {}: {}.",
            crate::letter::moment(breaker.opened_at),
            breaker.reason
        ));
    }
    context.post(&user, letter).await
}

/// Mail that waited for longer for its server is left out of what was sent.
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
        // Ids are UUIDv7: those of the last day are found by the primary key. They tell when a mail was written down, which
        // may be long before it went out.
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

    /// Sent mail alone is no news: the digest of yesterday was one.
    fn is_quiet(&self) -> bool {
        self.accounts + self.failed + self.dead + self.suppressed == 0 && self.breakers.is_empty()
    }
}
