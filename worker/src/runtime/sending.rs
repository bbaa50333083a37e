//! How a handler sends mail.

use std::sync::PoisonError;

use sea_orm::DbErr;
use usher_shared::{
    accounts::{
        mail_tokens::{self, LinkPurpose, LinkRequest},
        users,
    },
    foundation::{entity::user, time::new_id},
};

use super::context::JobContext;
use crate::{
    foundation::JobError,
    mail::{Delivery, Link, MailMessage, Recipient, Sending},
    texts::Words,
};

impl JobContext {
    /// The account that a mail is about; none when it is gone or deleted or has no address, which is no error.
    pub async fn account(&self, user_id: i64) -> Result<Option<user::Model>, DbErr> {
        let user = self.mail_batcher.account(user_id).await?;
        Ok(user.filter(|user| user.deleted_at.is_none() && !users::has_no_address(user)))
    }

    /// [`JobContext::account`] of a deleted account.
    pub(crate) async fn deleted_account(&self, user_id: i64) -> Result<Option<user::Model>, DbErr> {
        let user = self.mail_batcher.account(user_id).await?;
        Ok(user.filter(|user| user.deleted_at.is_some() && !users::has_no_address(user)))
    }

    /// What the product is called in mails.
    #[must_use]
    pub fn product(&self) -> &str {
        &self.config.product_name
    }

    /// A mail with this text.
    pub(crate) fn message(&self, words: &Words) -> MailMessage {
        MailMessage::of(words, &self.config)
    }

    /// A link to a page of the app, at this path of `APP_URL`, with a token that works once, for as long as the purpose
    /// says. Only the token's hash is stored, and only with the mail: the link works once [`JobContext::deliver`] has
    /// begun to send it. When a newer [`request`](mail_tokens::request) replaced the one for this link, or it ended, the
    /// mail is not sent. The link is only valid for the address that it is mailed to, which is `to`.
    pub fn link(&self, page: &str, to: impl Into<Recipient>, purpose: LinkPurpose) -> Link {
        self.make_link(page, &to.into(), purpose, None)
    }

    /// [`JobContext::link`], about something, such as the id of an order; the same as in the request.
    pub fn link_about(&self, page: &str, to: impl Into<Recipient>, purpose: LinkPurpose, subject: &str) -> Link {
        self.make_link(page, &to.into(), purpose, Some(subject))
    }

    fn make_link(&self, page: &str, to: &Recipient, purpose: LinkPurpose, subject: Option<&str>) -> Link {
        let mut link = LinkRequest::new(to.user_id, purpose).at(&to.address);
        if let Some(subject) = subject {
            link = link.about(subject);
        }
        let mut tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        // The request that was written with the job has its id.
        let id = if tokens.is_empty() { self.job.id } else { new_id() };
        let key = &self.config.secret_key;
        let (token, row) = mail_tokens::make(key, id, link);
        let until = *row.expires_at.as_ref();
        tokens.push(row);
        Link {
            url: format!("{}/{page}?token={}", self.config.app_url, token.as_str()),
            until,
        }
    }

    /// Sends this job's mail and completes the job with it.
    pub async fn post(&self, to: impl Into<Recipient>, message: MailMessage) -> Result<(), JobError> {
        let delivery = self.deliver(to, message).await?;
        self.end(delivery, None).await
    }

    /// Sends this job's mail; for a job that has more to write in the transaction that completes it.
    pub async fn deliver(&self, to: impl Into<Recipient>, message: MailMessage) -> Result<Delivery, JobError> {
        let mail = message.render(to.into(), self.product())?;
        let tokens = std::mem::take(&mut *self.tokens.lock().unwrap_or_else(PoisonError::into_inner));
        let sending = Sending {
            db: &self.db,
            job: &self.job,
            batcher: &self.mail_batcher,
            outcomes: &self.metrics.mails,
            tokens,
        };
        self.mailer.deliver(sending, mail).await
    }
}
