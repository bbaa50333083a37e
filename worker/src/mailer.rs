//! Mail as an effect of a job. Each is written into the mail log before it goes out and once more with the
//! server's answer; what the log calls sent is never sent again, what failed tells the job what to do next.

mod message;
mod verdict;

use std::sync::Arc;

use anyhow::Context;
use lettre::message::Mailbox;
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, ConnectionTrait, DatabaseConnection, DbErr, EntityTrait, QueryFilter,
    sea_query::{Expr, OnConflict},
};
use usher_shared::{
    config::Config,
    entity::mail::{self, MailState},
    time::now,
};
use uuid::Uuid;

use crate::{JobContext, JobError, smtp::Smtp};

use verdict::Verdict;

/// A rendered mail for one recipient.
#[derive(Clone, Debug)]
pub struct Mail {
    /// The same word as the job's kind, as a rule.
    pub kind: &'static str,
    pub user_id: i64,
    pub name: String,
    pub address: String,
    pub subject: String,
    pub text: String,
    pub html: String,
}

/// Sends mail, or keeps it in the database where no SMTP server is set.
#[derive(Clone)]
pub struct Mailer {
    from: Mailbox,
    smtp: Option<Arc<Smtp>>,
}

/// A mail that is out, or kept; the log does not know yet. See [`Delivery::record`].
#[must_use = "a delivery is recorded in the transaction that completes the job"]
pub struct Delivery(Outcome);

enum Outcome {
    /// An earlier run of the same job did it.
    AlreadyDone,
    Sent {
        job_id: Uuid,
        answer: String,
    },
    Kept {
        job_id: Uuid,
        text: String,
        html: String,
    },
}

impl Mailer {
    /// Reads `SMTP_URL` and `MAIL_FROM`; it does not connect.
    pub fn new(config: &Config) -> anyhow::Result<Self> {
        let from = config.mail_from.parse().with_context(|| {
            format!(
                "MAIL_FROM is {:?}, not a sender, for example MAIL_FROM=\"Usher <usher@example.org>\"",
                config.mail_from
            )
        })?;
        let smtp = config.smtp_url.as_deref().map(Smtp::new).transpose();
        let smtp = smtp.context(
            "SMTP_URL cannot be used, for example SMTP_URL=smtp://user:secret@mail.example.org:587?tls=required",
        )?;
        Ok(Self {
            from,
            smtp: smtp.map(Arc::new),
        })
    }

    /// What the house is called in mails: the name in `MAIL_FROM`.
    #[must_use]
    pub fn sender(&self) -> &str {
        self.from.name.as_deref().unwrap_or("Usher")
    }

    /// Sends the mail of this job, unless an earlier run did. A failure is in the mail log already and says what
    /// the job does next: busy server or network trouble, try again; address refused, give up; we are refused, rest.
    pub async fn deliver(&self, context: &JobContext, mail: Mail) -> Result<Delivery, JobError> {
        let message = message::Message::new(&self.from, context.job.id, &mail).map_err(JobError::GiveUp)?;
        if !reserve(&context.db, context.job.id, &message.id, &mail).await? {
            return Ok(Delivery(Outcome::AlreadyDone));
        }
        let job_id = context.job.id;
        let Some(smtp) = &self.smtp else {
            return Ok(Delivery(Outcome::Kept {
                job_id,
                text: mail.text,
                html: mail.html,
            }));
        };
        match smtp.send(&self.from.email, &message.to, &message.bytes).await {
            Ok(answer) => Ok(Delivery(Outcome::Sent { job_id, answer })),
            Err(failure) => {
                let verdict = Verdict::of(&failure);
                note_failure(&context.db, job_id, verdict, &failure.answer).await?;
                Err(verdict.answer(&failure))
            }
        }
    }
}

impl Delivery {
    /// Writes the mail's end into the log; for the transaction that also completes the job.
    pub async fn record(self, conn: &impl ConnectionTrait) -> Result<(), DbErr> {
        let (job_id, row) = match self.0 {
            Outcome::AlreadyDone => return Ok(()),
            Outcome::Sent { job_id, answer } => (
                job_id,
                mail::ActiveModel {
                    state: Set(MailState::Sent),
                    answer: Set(Some(answer)),
                    sent_at: Set(Some(now())),
                    ..Default::default()
                },
            ),
            Outcome::Kept { job_id, text, html } => (
                job_id,
                mail::ActiveModel {
                    state: Set(MailState::Kept),
                    text_body: Set(Some(text)),
                    html_body: Set(Some(html)),
                    sent_at: Set(Some(now())),
                    ..Default::default()
                },
            ),
        };
        let update = mail::Entity::update_many().set(row);
        update.filter(mail::Column::JobId.eq(job_id)).exec(conn).await.map(drop)
    }
}

/// Writes the mail down before it is sent. False when an earlier run of this job has sent or kept it.
async fn reserve(db: &DatabaseConnection, job_id: Uuid, message_id: &str, mail: &Mail) -> Result<bool, DbErr> {
    let row = mail::ActiveModel {
        id: Set(Uuid::now_v7()),
        job_id: Set(Some(job_id)),
        kind: Set(mail.kind.to_owned()),
        user_id: Set(Some(mail.user_id)),
        to_address: Set(mail.address.clone()),
        subject: Set(mail.subject.clone()),
        state: Set(MailState::Reserved),
        message_id: Set(message_id.to_owned()),
        answer: Set(None),
        text_body: Set(None),
        html_body: Set(None),
        created_at: Set(now()),
        sent_at: Set(None),
    };
    let reserved = mail::Entity::insert(row)
        .on_conflict(OnConflict::new().do_nothing().to_owned())
        .exec_without_returning(db)
        .await?;
    if reserved > 0 {
        return Ok(true);
    }
    let before = mail::Entity::find()
        .filter(mail::Column::JobId.eq(job_id))
        .one(db)
        .await?;
    Ok(before.is_none_or(|mail| !matches!(mail.state, MailState::Sent | MailState::Kept)))
}

async fn note_failure(db: &DatabaseConnection, job_id: Uuid, verdict: Verdict, answer: &str) -> Result<(), DbErr> {
    mail::Entity::update_many()
        .col_expr(mail::Column::State, Expr::value(verdict.state()))
        .col_expr(mail::Column::Answer, Expr::value(answer))
        .filter(mail::Column::JobId.eq(job_id))
        .exec(db)
        .await
        .map(drop)
}
