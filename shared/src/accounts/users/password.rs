//! A new password, and everything that must end with the old one.

use sea_orm::{ActiveValue::Set, ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, sea_query::Expr};
use uuid::Uuid;

use super::{
    mails::{announce_deletion, tell_password_changed},
    proof::{owner, prove},
    write::{db_error, plain, write},
};
use crate::{
    accounts::{
        mail_tokens::{self, RedeemError},
        mfa,
        sessions::{self, Which},
    },
    audit::Actor,
    foundation::{
        entity::{mail_token::MailTokenPurpose, user},
        rules::Name,
        time::now,
    },
    jobs::{EnqueueError, Tx},
};

/// Stores the new password of an account that [`super::find_for_change`] has found. All sessions end but `keep`, and so
/// does what was mailed, every log-in that still owes its code and every enrolment that waits for one; the owner gets a
/// mail.
pub async fn replace_password(
    tx: &Tx,
    user: &user::Model,
    hash: String,
    keep: Option<Uuid>,
    actor: &Actor,
) -> Result<(), EnqueueError> {
    write(
        tx,
        user.clone(),
        with_password(user, hash),
        "change_password",
        None,
        actor,
    )
    .await
    .map_err(plain)?;
    end_what_the_old_one_opened(tx, user.id, keep).await?;
    // The link that keeps the account ended with the others.
    announce_deletion(tx, user, actor).await?;
    tell_password_changed(tx, user.id, actor).await
}

/// Stores a new password by the token that was mailed, which also proves the address. All sessions end; a second factor
/// is still asked for.
pub async fn reset_password(tx: &Tx, raw: &str, hash: String, actor: &Actor) -> Result<user::Model, RedeemError> {
    let user = choose(tx, raw, MailTokenPurpose::PasswordReset, hash, "reset_password", actor).await?;
    tell_password_changed(tx, user.id, actor).await.map_err(db_error)?;
    Ok(user)
}

/// Stores the first password of an account by the token of its welcome, which also proves the address.
pub async fn set_first_password(tx: &Tx, raw: &str, hash: String, actor: &Actor) -> Result<user::Model, RedeemError> {
    choose(tx, raw, MailTokenPurpose::SetPassword, hash, "set_password", actor).await
}

pub(super) async fn choose(
    tx: &Tx,
    raw: &str,
    purpose: MailTokenPurpose,
    hash: String,
    action: &str,
    actor: &Actor,
) -> Result<user::Model, RedeemError> {
    let (_, user) = owner(tx, raw, purpose).await?;
    mail_tokens::redeem(&**tx, raw, purpose).await?;
    let mut row = with_password(&user, hash);
    if user.is_unverified_sign_up() {
        // Another password than the sign-up's: perhaps another person, too.
        row.name = Set(Name::of_address(&user.email).as_str().to_owned());
        row.age = Set(None);
    }
    let user = prove(tx, user, row, action, actor).await.map_err(plain)?;
    end_what_the_old_one_opened(tx, user.id, None).await?;
    announce_deletion(tx, &user, actor).await.map_err(db_error)?;
    Ok(user)
}

fn with_password(user: &user::Model, hash: String) -> user::ActiveModel {
    user::ActiveModel {
        password_hash: Set(Some(hash)),
        password_changed_at: Set(Some(now())),
        ..user.clone().into()
    }
}

/// Stores another hash of the same password, unless another one was set meanwhile; the account is as it was.
pub async fn keep_rehashed(conn: &impl ConnectionTrait, user: &user::Model, hash: String) -> Result<(), DbErr> {
    user::Entity::update_many()
        .col_expr(user::Column::PasswordHash, Expr::value(hash))
        .filter(user::Column::Id.eq(user.id))
        .filter(user::Column::PasswordHash.eq(user.password_hash.clone()))
        .exec(conn)
        .await
        .map(drop)
}

/// Whatever ends with a password, through whichever door it was changed.
async fn end_what_the_old_one_opened(tx: &Tx, user_id: i64, keep: Option<Uuid>) -> Result<(), DbErr> {
    let which = keep.map_or(Which::All, Which::Others);
    sessions::end(&**tx, user_id, which, "password changed").await?;
    mfa::forget_enrolments(&**tx, user_id).await?;
    mail_tokens::spend_all_but_undo(&**tx, user_id).await
}
