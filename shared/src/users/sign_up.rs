//! Sign-up by the people themselves, and the proof that an address is theirs. What is done for an address that has an
//! account and for one that has none costs the same statements, so that nobody learns which it is.

use sea_orm::{ActiveValue::Set, DbErr, EntityTrait, sea_query::OnConflict};

use super::{ChangeError, NewUser, blank, change::write, email::as_owner, find_by_email_key, find_for_change};
use crate::{
    audit::{self, Actor, Entry},
    entity::{
        mail_token::{self, MailTokenPurpose},
        user::{self, Column},
    },
    jobs::{EnqueueError, Job, Options, PasswordReset, SomeoneTriedToSignUp, Tx, VerifyEmail, enqueue_with},
    mail_suppressions,
    mail_tokens::{self, RedeemError},
    rules::Email,
    time::now,
};

/// The id that no account has: a mail to it is asked for and not sent, which looks and lasts like one that is.
pub const NOBODY: i64 = 0;

/// Makes an account with a password, which opens nothing before its address is proved.
///
/// Whoever owns the mailbox learns more: an address that has a proved account gets a mail that somebody tried, one whose
/// account was never proved a link that sets another password, because the present one may be a stranger's.
pub async fn sign_up(tx: &Tx, new: &NewUser, password_hash: String, actor: &Actor) -> Result<(), EnqueueError> {
    let at = now();
    let row = user::ActiveModel {
        password_hash: Set(Some(password_hash)),
        password_changed_at: Set(Some(at)),
        ..blank(&new.name, &new.email, new.age, at)
    };
    let taken = OnConflict::column(Column::EmailKey).do_nothing().to_owned();
    let insert = user::Entity::insert(row).on_conflict(taken);
    let made = insert.exec_without_returning(&**tx).await? == 1;
    let user = find_by_email_key(&**tx, new.email.key()).await?;
    let (user_id, proved) = user
        .as_ref()
        .map_or((NOBODY, false), |user| (user.id, user.email_verified_at.is_some()));
    mail_suppressions::clear(&**tx, new.email.as_str()).await?;
    match (made, proved) {
        (true, _) => ask(tx, VerifyEmail { user_id }, actor).await?,
        (false, true) => ask(tx, SomeoneTriedToSignUp { user_id }, actor).await?,
        (false, false) => ask(tx, PasswordReset { user_id }, actor).await?,
    }
    let entry = Entry {
        action: if made { "sign_up" } else { "sign_up_again" },
        object_type: "user",
        object_id: user.map(|user| user.id.to_string()),
        object_label: Some(new.email.as_str().to_owned()),
        ..Entry::default()
    };
    Ok(audit::record(&**tx, actor, entry).await?)
}

/// Asks for a mail to this address that its owner can do something with, if it has one.
pub async fn mailed<J: Job>(
    tx: &Tx,
    email: &str,
    action: &str,
    mail: impl FnOnce(i64) -> J,
    actor: &Actor,
) -> Result<(), EnqueueError> {
    let user = find_by_email_key(&**tx, &Email::key_of(email)).await?;
    mail_suppressions::clear(&**tx, email).await?;
    ask(tx, mail(user.as_ref().map_or(NOBODY, |user| user.id)), actor).await?;
    let entry = Entry {
        action,
        object_type: "user",
        object_id: user.as_ref().map(|user| user.id.to_string()),
        object_label: user.map(|user| user.email),
        ..Entry::default()
    };
    Ok(audit::record(&**tx, actor, entry).await?)
}

async fn ask<J: Job>(tx: &Tx, mail: J, actor: &Actor) -> Result<(), EnqueueError> {
    enqueue_with(tx, mail, Options::default().actor(actor.word()))
        .await
        .map(drop)
}

/// Proves the address of an account by the token that was mailed to it.
pub async fn verify_email(tx: &Tx, raw: &str, actor: &Actor) -> Result<user::Model, RedeemError> {
    let (_, before) = owner(tx, raw, MailTokenPurpose::VerifyEmail).await?;
    mail_tokens::redeem(&**tx, raw, MailTokenPurpose::VerifyEmail).await?;
    if before.email_verified_at.is_some() {
        return Ok(before);
    }
    let row = user::ActiveModel {
        email_verified_at: Set(Some(now())),
        ..before.clone().into()
    };
    let owner = as_owner(&before, actor);
    write(tx, before, row, "verify_email", None, &owner)
        .await
        .map_err(|error| plain(error).into())
}

/// Whose token this is, kept from changing until the transaction ends. A token for another address than the account has
/// by now is worth nothing.
pub(super) async fn owner(
    tx: &Tx,
    raw: &str,
    purpose: MailTokenPurpose,
) -> Result<(mail_token::Model, user::Model), RedeemError> {
    let token = mail_tokens::peek(&**tx, raw, purpose).await?;
    let user = find_for_change(tx, token.user_id).await?.ok_or(RedeemError::Invalid)?;
    let about_present = matches!(
        purpose,
        MailTokenPurpose::VerifyEmail | MailTokenPurpose::PasswordReset | MailTokenPurpose::CancelDeletion
    );
    let is_present = token
        .email
        .as_deref()
        .is_none_or(|email| Email::key_of(email) == user.email_key);
    if about_present && !is_present {
        return Err(RedeemError::Invalid);
    }
    Ok((token, user))
}

/// What is left of a change that can meet neither another status nor another address.
pub(super) fn plain(error: ChangeError) -> DbErr {
    match error {
        ChangeError::Db(error) => error,
        other => DbErr::Custom(other.to_string()),
    }
}
