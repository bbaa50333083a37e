//! Self sign-up, and verifying the address. An address with an account and one without cost the same statements, so
//! that nobody can find out which it is.

use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, DbErr, EntityTrait, QueryFilter,
    sea_query::{Expr, ExprTrait},
};
use serde_json::Value;
use thiserror::Error;

use super::{
    creation::{Draft, NewUser, insert_all},
    events,
    find::{find_by_email_key, lock_by_email_key},
    mails::{announce_deletion, send_password_reset},
    password::choose,
    proof::{owner, prove},
    write::db_error,
};
use crate::{
    accounts::{
        mail_tokens::{self, LinkPurpose, LinkRequest, RedeemError},
        password_hash::{self, HashError},
    },
    audit::{self, Actor, Entry},
    foundation::{
        entity::user::{self, Column},
        rules::{Age, Email, Name, Password},
        search,
        time::now,
    },
    jobs::{
        AddressOfDeletedAccount, EnqueueError, EnqueueOptions, Job, JobStore, PasswordReset, SomeoneTriedToSignUp, Tx,
        VerifyEmail,
    },
};

/// An id that no account has: a mail to it is enqueued but not sent, which looks the same and takes as long as one that
/// is.
pub const NOBODY: i64 = 0;

/// How often a sign-up tries again because another one for the same address came in between.
const LOOKS: usize = 3;

/// Why the sign-up failed.
#[derive(Debug, Error)]
pub enum SignUpError {
    #[error(transparent)]
    Hash(#[from] HashError),
    #[error(transparent)]
    Db(#[from] DbErr),
    #[error(transparent)]
    Enqueue(#[from] EnqueueError),
}

/// Creates an account with a password, which cannot be used before its address is verified. Repeating it with the same
/// password is the same sign-up.
///
/// Two different sign-ups for an address may come from two people, and nobody can tell which of them opens the mail:
/// what they don't agree on is removed. The account then has no password, and the mailed link asks its owner to set
/// one. The owner of a verified account gets a mail that somebody tried to sign up.
///
/// Runs no hooks, because their statements would tell whether the address has an account: they run in
/// [`verify_email`], and in whatever else verifies the address first.
pub async fn sign_up(
    job_store: &JobStore,
    new: &NewUser,
    password: &Password,
    actor: &Actor,
) -> Result<(), SignUpError> {
    let hash = password_hash::hash(password).await?;
    for look in 1.. {
        let known = find_by_email_key(job_store.db(), new.email.key()).await?;
        let known = known.and_then(|user| user.password_hash);
        // Always compared, so that it takes as long if there is nothing to compare with.
        let same = password_hash::matches(password, known.as_deref()).await;
        let tx = job_store.begin().await?;
        if write(&tx, new, &hash, known.as_deref(), same, look >= LOOKS, actor).await? {
            return Ok(tx.commit().await?);
        }
        tx.rollback().await?;
    }
    Ok(())
}

/// False if the account's password is not the one that was compared; `last` treats that as a different sign-up.
async fn write(
    tx: &Tx,
    new: &NewUser,
    hash: &str,
    compared: Option<&str>,
    same: bool,
    last: bool,
    actor: &Actor,
) -> Result<bool, SignUpError> {
    let draft = Draft {
        password_hash: Some(hash.to_owned()),
        ..new.into()
    };
    let made = !insert_all(&**tx, now(), &[draft]).await?.is_empty();
    let user = lock_by_email_key(tx, new.email.key()).await?;
    let is_compared = made
        || user
            .as_ref()
            .is_none_or(|user| user.password_hash.as_deref() == compared);
    if !is_compared && !last {
        return Ok(false);
    }
    let contested = user
        .as_ref()
        .filter(|user| !(made || same && is_compared) && user.is_unverified_sign_up());
    let changes = contest(tx, contested, new).await?;
    let changed = changes.as_ref().map(|(_, user)| user);
    events::record_sign_up(&**tx, user.as_ref().filter(|_| made), changed, actor).await?;
    let action = if made { "sign_up" } else { "sign_up_again" };
    let is_proved = user.as_ref().is_some_and(|user| user.email_verified_at.is_some());
    let found = Found(user);
    match is_proved {
        true => found.ask(tx, |user_id| SomeoneTriedToSignUp { user_id }, actor).await?,
        false => found.ask(tx, |user_id| VerifyEmail { user_id }, actor).await?,
    }
    let entry = Entry {
        object_label: Some(new.email.as_str().to_owned()),
        changes: changes.and_then(|(changes, _)| changes),
        ..found.entry(action)
    };
    audit::record(&**tx, actor, entry).await?;
    Ok(true)
}

/// Keeps what this sign-up and the account agree on. Returns what was removed, and the account as it is then. Without
/// an account the same statement changes nothing.
async fn contest(
    tx: &Tx,
    user: Option<&user::Model>,
    new: &NewUser,
) -> Result<Option<(Option<Value>, user::Model)>, DbErr> {
    let age = new.age.map(Age::years);
    let same_name = user.is_some_and(|user| user.name == new.name.as_str());
    let same_age = user.is_some_and(|user| user.age == age);
    let neutral = Name::of_address(new.email.as_str());
    let name = if same_name { &new.name } else { &neutral };
    let name = name.as_str().to_owned();
    let (age, at) = (age.filter(|_| same_age), now());
    user::Entity::update_many()
        .col_expr(Column::PasswordHash, Expr::value(None::<String>))
        .col_expr(Column::PasswordChangedAt, Expr::value(at))
        .col_expr(
            Column::SearchText,
            Expr::value(search::text_of(&name, new.email.as_str())),
        )
        .col_expr(Column::Name, Expr::value(name.as_str()))
        .col_expr(Column::Age, Expr::value(age))
        .col_expr(Column::UpdatedAt, Expr::value(at))
        .col_expr(Column::Version, Expr::col(Column::Version).add(1))
        .filter(Column::Id.eq(user.map_or(NOBODY, |user| user.id)))
        .exec(&**tx)
        .await?;
    Ok(user.map(|user| {
        let mut row = user::ActiveModel {
            password_hash: Set(None),
            name: Set(name.clone()),
            age: Set(age),
            ..user.clone().into()
        };
        let changes = audit::changes::<user::Entity>(user, &mut row, &[Column::PasswordHash]);
        let user = user::Model {
            name,
            age,
            updated_at: at,
            version: user.version + 1,
            ..user.clone()
        };
        (changes, user)
    }))
}

/// The account of an address, if there is one.
struct Found(Option<user::Model>);

impl Found {
    /// Requests this mail; for a deleted account, the mail that says so.
    async fn ask<J: Link>(&self, tx: &Tx, mail: impl FnOnce(i64) -> J, actor: &Actor) -> Result<(), EnqueueError> {
        let user_id = self.0.as_ref().map_or(NOBODY, |user| user.id);
        let (link, options) = (LinkRequest::new(user_id, J::PURPOSE), EnqueueOptions::by(actor));
        if self.0.as_ref().is_some_and(|user| user.deleted_at.is_some()) {
            let mail = AddressOfDeletedAccount { user_id };
            mail_tokens::request(tx, link, mail, options).await?;
        } else {
            mail_tokens::request(tx, link, mail(user_id), options).await?;
        }
        Ok(())
    }

    fn entry<'a>(&self, action: &'a str) -> Entry<'a> {
        Entry {
            action,
            object_type: "user",
            object_id: self.0.as_ref().map(|user| user.id.to_string()),
            object_label: self.0.as_ref().map(|user| user.email.clone()),
            ..Entry::default()
        }
    }
}

/// A mail that anybody can request, and the purpose of its link.
pub trait Link: Job {
    const PURPOSE: LinkPurpose;
}

impl Link for VerifyEmail {
    const PURPOSE: LinkPurpose = LinkPurpose::VERIFY_EMAIL;
}

impl Link for PasswordReset {
    const PURPOSE: LinkPurpose = LinkPurpose::PASSWORD_RESET;
}

/// It has no link, but ends an earlier one.
impl Link for SomeoneTriedToSignUp {
    const PURPOSE: LinkPurpose = LinkPurpose::VERIFY_EMAIL;
}

/// Requests a mail to this address, if it has an account.
pub async fn mailed<J: Link>(
    tx: &Tx,
    email: &str,
    action: &str,
    mail: impl FnOnce(i64) -> J,
    actor: &Actor,
) -> Result<(), EnqueueError> {
    let found = Found(lock_by_email_key(tx, &Email::key_of(email)).await?);
    found.ask(tx, mail, actor).await?;
    Ok(audit::record(&**tx, actor, found.entry(action)).await?)
}

/// Verifies the address of an account with the mailed token, and sets the password if one is given. If the account
/// still has no password, its owner gets a link to set one.
pub async fn verify_email(
    tx: &Tx,
    raw: &str,
    password_hash: Option<String>,
    actor: &Actor,
) -> Result<user::Model, RedeemError> {
    let purpose = LinkPurpose::VERIFY_EMAIL;
    if let Some(hash) = password_hash {
        return choose(tx, raw, purpose, hash, "verify_email", actor).await;
    }
    let (_, before) = owner(tx, raw, purpose).await?;
    mail_tokens::redeem(&**tx, raw, purpose).await?;
    if before.email_verified_at.is_some() {
        return Ok(before);
    }
    let row = before.clone().into();
    let user = prove(tx, before, row, "verify_email", actor).await?;
    announce_deletion(tx, &user, actor).await.map_err(db_error)?;
    if user.password_hash.is_none() {
        let options = EnqueueOptions::by(actor);
        send_password_reset(tx, user.id, options).await.map_err(db_error)?;
    }
    Ok(user)
}
