//! A new password, and everything that must end with the old one.

use sea_orm::DbErr;
use uuid::Uuid;

use super::{email::as_owner, set_password, sign_up::owner};
use crate::{
    audit::{self, Actor, Entry},
    entity::{mail_token::MailTokenPurpose, user},
    jobs::{EnqueueError, PasswordChanged, Tx, enqueue},
    mail_tokens::{self, RedeemError},
    mfa,
    sessions::{self, Which},
};

/// Stores the new password of an account that [`super::find_for_change`] has found. All sessions end but `keep`, and so
/// does what was mailed and every log-in that still owes its code; the owner gets a mail.
pub async fn replace_password(
    tx: &Tx,
    user: &user::Model,
    hash: String,
    keep: Option<Uuid>,
    actor: &Actor,
) -> Result<(), EnqueueError> {
    set_password(&**tx, user.id, hash, false).await?;
    end_what_the_old_one_opened(tx, user.id, keep).await?;
    audit::record(&**tx, actor, entry(user, "change_password")).await?;
    enqueue(tx, PasswordChanged { user_id: user.id }).await.map(drop)
}

/// Stores a new password by the token that was mailed, which also proves the address. All sessions end; a second factor
/// is still asked for.
pub async fn reset_password(tx: &Tx, raw: &str, hash: String, actor: &Actor) -> Result<(), RedeemError> {
    let (_, user) = owner(tx, raw, MailTokenPurpose::PasswordReset).await?;
    mail_tokens::redeem(&**tx, raw, MailTokenPurpose::PasswordReset).await?;
    set_password(&**tx, user.id, hash, true).await?;
    end_what_the_old_one_opened(tx, user.id, None).await?;
    audit::record(&**tx, &as_owner(&user, actor), entry(&user, "reset_password")).await?;
    match enqueue(tx, PasswordChanged { user_id: user.id }).await {
        Ok(_) => Ok(()),
        Err(EnqueueError::Db(error)) => Err(error.into()),
        Err(other) => Err(DbErr::Custom(other.to_string()).into()),
    }
}

async fn end_what_the_old_one_opened(tx: &Tx, user_id: i64, keep: Option<Uuid>) -> Result<(), DbErr> {
    let which = keep.map_or(Which::All, Which::Others);
    sessions::end(&**tx, user_id, which, "password changed").await?;
    mfa::close_challenges(&**tx, user_id).await?;
    mail_tokens::spend_all_but_undo(&**tx, user_id).await
}

fn entry<'a>(user: &user::Model, action: &'a str) -> Entry<'a> {
    Entry {
        action,
        object_type: "user",
        object_id: Some(user.id.to_string()),
        object_label: Some(user.email.clone()),
        ..Entry::default()
    }
}
