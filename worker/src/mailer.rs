//! Mail as an effect of a job. Each is written into the mail log before it goes out and once more with the
//! server's answer; what the log calls sent is never sent again, what failed tells the job what to do next.

mod breaker;
mod desk;
mod message;
mod verdict;

use std::sync::Arc;

use anyhow::{Context, anyhow};
use lettre::message::Mailbox;
use sea_orm::{ColumnTrait, ConnectionTrait, DatabaseConnection, DbErr, EntityTrait, QueryFilter, sea_query::Expr};
use usher_shared::{
    foundation::{
        config::Config,
        db::writing,
        entity::{
            mail::{self, MailState},
            mail_suppression,
        },
        time::now,
    },
    jobs::{
        mail_suppressions,
        mails::{self, Gone, Reservation},
    },
};
use uuid::Uuid;

use crate::{JobContext, JobError, smtp::Smtp};

pub(crate) use desk::{Desk, Ending};

use breaker::{Breaker, Pass};
use desk::{Clearance, Wish};
use verdict::Verdict;

/// How long a mail is tried whose content the server refuses.
const CONTENT_LIMIT: chrono::Duration = chrono::Duration::days(3);

/// A rendered mail for one recipient.
#[derive(Clone, Debug)]
pub struct Mail {
    pub user_id: i64,
    pub name: Option<String>,
    pub address: String,
    pub subject: String,
    pub text: String,
    pub html: String,
}

/// Sends mail, or keeps it in the database where no SMTP server is set.
#[derive(Clone)]
pub struct Mailer {
    from: Mailbox,
    smtp: Option<Arc<Relay>>,
}

/// The mail server, and whether it wants us.
struct Relay {
    smtp: Smtp,
    breaker: Breaker,
}

/// A mail that is out, or kept; the log does not know yet. See [`Delivery::record`].
#[must_use = "a delivery is recorded in the transaction that completes the job"]
pub struct Delivery {
    /// Nothing when an earlier run of the same job has sent it, or its link has ended.
    pub(crate) gone: Option<Gone>,
}

impl Mailer {
    /// Reads `SMTP_URL` and `MAIL_FROM`; it does not connect.
    pub fn new(config: &Config) -> anyhow::Result<Self> {
        let mut from: Mailbox = config.mail_from.parse().with_context(|| {
            format!(
                "MAIL_FROM is {:?}, not a sender, for example MAIL_FROM=\"Usher <usher@example.org>\"",
                config.mail_from
            )
        })?;
        from.email = message::with_ascii_domain(&from.email);
        from.name.get_or_insert_with(|| config.product_name.clone());
        let smtp = config.smtp_url.as_deref().map(Smtp::new).transpose().map_err(|error| {
            anyhow!("SMTP_URL {error:#}, for example SMTP_URL=smtp://user:secret@mail.example.org:587?tls=required")
        })?;
        let relay = |smtp: Smtp| Relay {
            breaker: Breaker::new(format!("{} as {}", smtp.place(), from.email)),
            smtp,
        };
        Ok(Self {
            smtp: smtp.map(relay).map(Arc::new),
            from,
        })
    }

    /// Whether the mail server would take mail: connects, encrypts and logs in as for one, and sends nothing. None
    /// where mail is kept in the database.
    pub async fn probe(&self) -> Option<anyhow::Result<String>> {
        let relay = self.smtp.as_ref()?;
        let answer = relay.smtp.probe().await;
        Some(answer.map_err(|failure| anyhow!("{}: {}", relay.smtp.place(), failure.answer)))
    }

    /// Sends the mail of this job, unless an earlier run did. A failure is in the mail log already and says what
    /// the job does next: busy server or network trouble, try again; address refused, give up; we are refused, rest.
    pub async fn deliver(&self, context: &JobContext, mail: Mail) -> Result<Delivery, JobError> {
        let job = &context.job;
        let message = message::Message::new(&self.from, job, &mail).map_err(JobError::GiveUp)?;
        let wish = Wish {
            mail: Reservation {
                job_id: job.id,
                kind: job.kind.clone(),
                user_id: mail.user_id,
                to_address: mail.address.clone(),
                subject: mail.subject,
                message_id: message.id.clone(),
            },
            tokens: context.take_tokens(),
        };
        let Clearance::Go { dead, breaker } = context.desk.clear(wish).await? else {
            return Ok(Delivery { gone: None });
        };
        let gone = if let Some(relay) = &self.smtp {
            if let Some(dead) = dead {
                context.metrics.mails.count("dead_address");
                return Err(leave_alone(context, &dead).await?);
            }
            let pass = match breaker {
                true => relay.breaker.pass(&context.db).await?,
                false => Pass::Closed,
            };
            Gone {
                job_id: job.id,
                answer: Some(relay.send(context, pass, &self.from, &message, &mail.address).await?),
                text_body: None,
                html_body: None,
            }
        } else {
            context.metrics.mails.count("kept");
            Gone {
                job_id: job.id,
                answer: None,
                text_body: Some(mail.text),
                html_body: Some(mail.html),
            }
        };
        Ok(Delivery { gone: Some(gone) })
    }
}

/// An address that does not exist: the log says since when, and the job is dead.
async fn leave_alone(context: &JobContext, dead: &mail_suppression::Model) -> Result<JobError, DbErr> {
    let since = dead.created_at.format("%-d %B %Y");
    let why = format!("not tried: on {since} its server answered {}", dead.answer);
    note_failure(&context.db, context.job.id, MailState::Failed, &why).await?;
    let why = format!("the address was dead on {since}: clear it if it lives again, then replay the job");
    Ok(JobError::give_up(why))
}

impl Relay {
    /// Sends the mail and answers the server's last word. What went wrong is in the mail log, at the breaker or among
    /// the dead addresses when this fails.
    async fn send(
        &self,
        context: &JobContext,
        pass: Pass,
        from: &Mailbox,
        message: &message::Message,
        address: &str,
    ) -> Result<String, JobError> {
        let (db, job) = (&context.db, &context.job);
        let failure = match self.smtp.send(&from.email, &message.to, &message.bytes).await {
            Ok(answer) => {
                tracing::info!(message_id = message.id, "mail sent");
                context.metrics.mails.count("sent");
                self.breaker.accepted(db, pass).await?;
                return Ok(answer);
            }
            Err(failure) => failure,
        };
        let verdict = Verdict::of(&failure);
        context.metrics.mails.count(verdict.word());
        note_failure(db, job.id, verdict.state(), &failure.answer).await?;
        match verdict {
            Verdict::Later | Verdict::Unknown | Verdict::Unsendable => self.breaker.unanswered(db, pass).await?,
            Verdict::Recipient => self.breaker.accepted(db, pass).await?,
            Verdict::DeadAddress => {
                self.breaker.accepted(db, pass).await?;
                mail_suppressions::add(db, address, &failure.answer, job.user_id).await?;
            }
            Verdict::Us => {
                let (said, content) = (Verdict::said(&failure), Verdict::is_about_content(&failure));
                if content && job.created_at < now() - CONTENT_LIMIT {
                    return Err(JobError::give_up(format!("{said}, for days: it refuses this mail")));
                }
                if let Some(held) = self.breaker.refused(db, pass, job.id, &said, content).await? {
                    return Err(held);
                }
            }
        }
        Err(verdict.answer(&failure))
    }
}

impl Delivery {
    /// Writes the mail's end into the log; for the transaction that also completes the job.
    pub async fn record(self, conn: &impl ConnectionTrait) -> Result<(), DbErr> {
        mails::finish(conn, self.gone.as_slice()).await
    }
}

/// Never over a mail that is out: a worker that lost its lease may come late with the failure of a mail that another one
/// has sent.
async fn note_failure(db: &DatabaseConnection, job_id: Uuid, state: MailState, answer: &str) -> Result<(), DbErr> {
    mail::Entity::update_many()
        .col_expr(mail::Column::State, Expr::value(state))
        .col_expr(mail::Column::Answer, Expr::value(answer))
        .filter(mail::Column::JobId.eq(job_id))
        .filter(mail::Column::State.is_not_in([MailState::Sent, MailState::Kept]))
        .exec(&writing(db))
        .await
        .map(drop)
}
