//! The mails that Usher sends about accounts: one file each, with its words; what they have in common is here.

mod api_key_changed;
mod deletion_scheduled;
mod email_change;
mod mfa_changed;
mod new_sign_in;
mod password;
mod session_reuse;
mod sign_up;
mod staff_digest;
mod welcome_email;

use std::{sync::PoisonError, time::Duration};

use sea_orm::DbErr;
use usher_shared::{
    accounts::{mail_tokens, users},
    foundation::entity::{mail_token::MailTokenPurpose, user},
    jobs::{
        AddressOfDeletedAccount, ApiKeyChanged, DeletionScheduled, EmailChangeConfirm, EmailChangeUndo, MfaChanged,
        NewSignIn, PasswordChanged, PasswordReset, Schedule, SessionReuse, SomeoneTriedToSignUp, VerifyEmail,
        WelcomeEmail,
    },
};
use uuid::Uuid;

use crate::{Backoff, Delivery, JobContext, JobError, Letter, Link, Mail, Policy, Registry};

use staff_digest::{StaffDigest, StaffDigestMail};

/// For three days, at an hour between attempts: as long as a link lives, or as news are news.
const FOR_DAYS: Policy = Policy {
    attempts: 80,
    backoff: Backoff {
        first: Duration::from_secs(15),
        cap: Duration::from_secs(3600),
    },
    timeout: Duration::from_secs(60),
};

/// For half an hour: nobody waits longer for a link they asked for, and the link lives no longer.
const FOR_MINUTES: Policy = Policy {
    attempts: 12,
    backoff: Backoff {
        first: Duration::from_secs(15),
        cap: Duration::from_secs(240),
    },
    ..FOR_DAYS
};

pub(crate) fn register(registry: Registry) -> Registry {
    registry
        .register::<WelcomeEmail>(FOR_DAYS, welcome_email::send)
        .register::<VerifyEmail>(FOR_DAYS, sign_up::verify_email)
        .register::<SomeoneTriedToSignUp>(FOR_DAYS, sign_up::someone_tried)
        .register::<AddressOfDeletedAccount>(FOR_DAYS, sign_up::deleted)
        .register::<PasswordReset>(FOR_MINUTES, password::reset)
        .register::<PasswordChanged>(FOR_DAYS, password::changed)
        .register::<EmailChangeConfirm>(FOR_DAYS, email_change::confirm)
        .register::<EmailChangeUndo>(FOR_DAYS, email_change::undo)
        .register::<NewSignIn>(FOR_DAYS, new_sign_in::send)
        .register::<SessionReuse>(FOR_DAYS, session_reuse::send)
        .register::<MfaChanged>(FOR_DAYS, mfa_changed::send)
        .register::<ApiKeyChanged>(FOR_DAYS, api_key_changed::send)
        .register::<DeletionScheduled>(FOR_DAYS, deletion_scheduled::send)
        .register::<StaffDigest>(Policy::DEFAULT, staff_digest::gather)
        .register::<StaffDigestMail>(FOR_DAYS, staff_digest::send)
        .schedule(Schedule::new("staff_digest", "0 6 * * *", &StaffDigest {}))
}

/// Whom a mail goes to. An address that nobody has proved is mailed without a name: a stranger may have chosen it, and
/// must not write into our mail.
#[derive(Clone, Debug)]
pub struct Recipient {
    pub user_id: i64,
    pub name: Option<String>,
    pub address: String,
}

impl Recipient {
    /// The user at another address than the account's.
    #[must_use]
    pub fn at(user: &user::Model, address: &str) -> Self {
        Self {
            user_id: user.id,
            name: None,
            address: address.to_owned(),
        }
    }
}

impl From<&user::Model> for Recipient {
    fn from(user: &user::Model) -> Self {
        Self {
            user_id: user.id,
            name: user.email_verified_at.map(|_| user.name.clone()),
            address: user.email.clone(),
        }
    }
}

/// What mails about accounts are made with.
impl JobContext {
    /// The account that a mail is about; none when it is gone or deleted or has no address, which is no mistake.
    pub async fn account(&self, user_id: i64) -> Result<Option<user::Model>, DbErr> {
        let user = self.desk.account(user_id).await?;
        Ok(user.filter(|user| user.deleted_at.is_none() && !users::has_no_address(user)))
    }

    /// [`JobContext::account`] of a deleted account.
    async fn deleted_account(&self, user_id: i64) -> Result<Option<user::Model>, DbErr> {
        let user = self.desk.account(user_id).await?;
        Ok(user.filter(|user| user.deleted_at.is_some() && !users::has_no_address(user)))
    }

    /// What the product is called in mails.
    #[must_use]
    pub fn product(&self) -> &str {
        &self.config.product_name
    }

    /// A link to a page of the app, with a token that works once, for this long. Only the token's hash is kept, and only
    /// with the mail: the link works once [`JobContext::deliver`] has begun to send it. When the request for it was
    /// replaced by a newer one meanwhile, or ended, the mail is not sent. `email` is the address that it is mailed to.
    pub fn link(
        &self,
        page: &str,
        user_id: i64,
        purpose: MailTokenPurpose,
        lifetime: chrono::Duration,
        email: &str,
    ) -> Link {
        let mut tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        // The request that was written with the job has its id.
        let id = if tokens.is_empty() { self.job.id } else { Uuid::now_v7() };
        let key = &self.config.secret_key;
        let (token, row) = mail_tokens::make(key, id, user_id, purpose, lifetime, email.to_owned());
        let until = *row.expires_at.as_ref();
        tokens.push(row);
        Link {
            url: format!("{}/{page}?token={}", self.config.app_url, token.as_str()),
            until,
        }
    }

    /// Sends the letter as this job's mail and completes the job with it.
    pub async fn post(&self, to: impl Into<Recipient>, letter: Letter) -> Result<(), JobError> {
        let delivery = self.deliver(to, letter).await?;
        self.end(delivery, None).await
    }

    /// Sends the letter as this job's mail; for a job that has more to write in the transaction that completes it.
    pub async fn deliver(&self, to: impl Into<Recipient>, letter: Letter) -> Result<Delivery, JobError> {
        let (to, product) = (to.into(), self.product());
        let mail = Mail {
            user_id: to.user_id,
            name: to.name,
            address: to.address,
            subject: letter.subject().to_owned(),
            text: letter.text(product)?,
            html: letter.html(product)?,
        };
        self.mailer.deliver(self, mail).await
    }
}
