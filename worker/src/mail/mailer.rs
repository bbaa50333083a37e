//! Sends a job's mail. Its row in `mails` is written before it is sent and again with the server's answer: what is
//! recorded as sent is never sent again, and a failure tells the job what to do next.

use std::sync::Arc;

use anyhow::{Context, anyhow};
use lettre::message::Mailbox;
use sea_orm::{ColumnTrait, ConnectionTrait, DatabaseConnection, DbErr, EntityTrait, QueryFilter, sea_query::Expr};
use usher_shared::{
    foundation::{
        config::Config,
        db::writing,
        entity::{
            job,
            mail::{self, MailState},
            mail_suppression, mail_token,
        },
        metrics::Counters,
        time::now,
    },
    jobs::{
        mail_suppressions,
        mails::{self, Gone, Reservation},
    },
};
use uuid::Uuid;

use super::{
    batcher::{Clearance, MailBatcher, SendRequest},
    breaker::{Breaker, Pass},
    encoded::{EncodedMail, with_ascii_domain},
    message::Mail,
    smtp::Smtp,
    verdict::Verdict,
};
use crate::foundation::JobError;

/// How long a mail is retried whose content the server refuses.
const CONTENT_LIMIT: chrono::Duration = chrono::Duration::days(3);

/// Sends mail, or keeps it in the database when no SMTP server is configured.
#[derive(Clone)]
pub struct Mailer {
    from: Mailbox,
    smtp: Option<Arc<Relay>>,
}

/// The mail server, and whether it is on hold.
struct Relay {
    smtp: Smtp,
    breaker: Breaker,
}

/// The surroundings of one send.
pub(crate) struct Sending<'a> {
    pub(crate) db: &'a DatabaseConnection,
    pub(crate) job: &'a job::Model,
    pub(crate) batcher: &'a MailBatcher,
    /// Counts mails by outcome.
    pub(crate) outcomes: &'a Counters<1>,
    /// The tokens in the mail's links.
    pub(crate) tokens: Vec<mail_token::ActiveModel>,
}

impl Sending<'_> {
    fn count(&self, outcome: &'static str) {
        self.outcomes.get_or_create(&[("outcome", outcome.into())]).inc();
    }
}

/// A mail that was sent, or kept; not yet recorded. See [`Delivery::record`].
#[must_use = "a delivery is recorded in the transaction that completes the job"]
pub struct Delivery {
    /// None when an earlier run of the job has sent it, or its link has expired.
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
        from.email = with_ascii_domain(&from.email);
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

    /// Checks that the mail server would take mail: connects, encrypts and logs in, and sends nothing. None when mail
    /// is kept in the database.
    pub async fn probe(&self) -> Option<anyhow::Result<String>> {
        let relay = self.smtp.as_ref()?;
        let answer = relay.smtp.probe().await;
        Some(answer.map_err(|failure| anyhow!("{}: {}", relay.smtp.place(), failure.answer)))
    }

    /// Sends the mail of this job, unless an earlier run did. A failure is in the mail's row already and says what the
    /// job does next: busy server or network trouble, retry; address refused, give up; we are refused, snooze.
    pub(crate) async fn deliver(&self, mut sending: Sending<'_>, mail: Mail) -> Result<Delivery, JobError> {
        let job = sending.job;
        let encoded = EncodedMail::new(&self.from, job, &mail).map_err(JobError::GiveUp)?;
        let request = SendRequest {
            mail: Reservation {
                job_id: job.id,
                kind: job.kind.clone(),
                user_id: mail.to.user_id,
                to_address: mail.to.address.clone(),
                subject: mail.subject,
                message_id: encoded.id.clone(),
            },
            tokens: std::mem::take(&mut sending.tokens),
        };
        let Clearance::Go { dead, breaker } = sending.batcher.clear(request).await? else {
            return Ok(Delivery { gone: None });
        };
        let mut gone = Gone {
            job_id: job.id,
            answer: None,
            text_body: None,
            html_body: None,
        };
        if let Some(relay) = &self.smtp {
            if let Some(dead) = dead {
                sending.count("dead_address");
                return Err(leave_alone(&sending, &dead).await?);
            }
            let pass = match breaker {
                true => relay.breaker.pass(sending.db).await?,
                false => Pass::Closed,
            };
            let answer = relay
                .send(&sending, pass, &self.from, &encoded, &mail.to.address)
                .await?;
            gone.answer = Some(answer);
        } else {
            sending.count("kept");
            (gone.text_body, gone.html_body) = (Some(mail.text), Some(mail.html));
        }
        Ok(Delivery { gone: Some(gone) })
    }
}

/// The address is on the suppression list: records since when, and fails the job.
async fn leave_alone(sending: &Sending<'_>, dead: &mail_suppression::Model) -> Result<JobError, DbErr> {
    let since = dead.created_at.format("%-d %B %Y");
    let why = format!("not sent: on {since} its server answered {}", dead.answer);
    note_failure(sending.db, sending.job.id, MailState::Failed, &why).await?;
    let why = format!(
        "the address has been on the suppression list since {since}: remove it there if it works again, then retry \
         the job"
    );
    Ok(JobError::give_up(why))
}

impl Relay {
    /// Sends the mail. Returns the server's last answer; a failure is in the mail's row, at the breaker or in the
    /// suppression list already.
    async fn send(
        &self,
        sending: &Sending<'_>,
        pass: Pass,
        from: &Mailbox,
        encoded: &EncodedMail,
        address: &str,
    ) -> Result<String, JobError> {
        let (db, job) = (sending.db, sending.job);
        let failure = match self.smtp.send(&from.email, &encoded.to, &encoded.bytes).await {
            Ok(answer) => {
                tracing::info!(message_id = encoded.id, "mail sent");
                sending.count("sent");
                self.breaker.accepted(db, pass).await?;
                return Ok(answer);
            }
            Err(failure) => failure,
        };
        let verdict = Verdict::of(&failure);
        sending.count(verdict.into());
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
    /// Records the mail as sent or kept, in the transaction that also completes the job.
    pub async fn record(self, conn: &impl ConnectionTrait) -> Result<(), DbErr> {
        mails::finish(conn, self.gone.as_slice()).await
    }
}

/// Records a failure, unless the mail was sent: a worker that lost its lease may be late with the failure of a mail
/// that another one has sent.
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
