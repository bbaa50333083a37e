//! Setting a new password, and ending everything that the old one opened.

use sea_orm::{ActiveValue::Set, ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, sea_query::Expr};
use uuid::Uuid;

use super::{
    mails::{announce_deletion, tell_password_changed},
    proof::{owner, prove},
    write::{db_error, plain, write},
};
use crate::{
    accounts::{
        mail_tokens::{self, LinkPurpose, RedeemError},
        mfa,
        sessions::{self, Which},
    },
    audit::Actor,
    foundation::{entity::user, rules::Name, time::now},
    jobs::{EnqueueError, Tx},
};

/// Stores the new password of an account that [`super::find_for_change`] returned. Ends all sessions except `keep`,
/// mailed links, sign-ins that still wait for their code, and unfinished enrolments. Mails the owner.
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
    // The link that cancels the deletion ended with the others.
    announce_deletion(tx, user, actor).await?;
    tell_password_changed(tx, user.id, actor).await
}

/// Stores a new password with the mailed token, which also verifies the address. Ends all sessions; a second factor is
/// still required.
pub async fn reset_password(tx: &Tx, raw: &str, hash: String, actor: &Actor) -> Result<user::Model, RedeemError> {
    let user = choose(tx, raw, LinkPurpose::PASSWORD_RESET, hash, "reset_password", actor).await?;
    tell_password_changed(tx, user.id, actor).await.map_err(db_error)?;
    Ok(user)
}

/// Stores the first password of an account with the token of its welcome mail, which also verifies the address.
pub async fn set_first_password(tx: &Tx, raw: &str, hash: String, actor: &Actor) -> Result<user::Model, RedeemError> {
    choose(tx, raw, LinkPurpose::SET_PASSWORD, hash, "set_password", actor).await
}

pub(super) async fn choose(
    tx: &Tx,
    raw: &str,
    purpose: LinkPurpose,
    hash: String,
    action: &str,
    actor: &Actor,
) -> Result<user::Model, RedeemError> {
    let (_, user) = owner(tx, raw, purpose).await?;
    mail_tokens::redeem(&**tx, raw, purpose).await?;
    let mut row = with_password(&user, hash);
    if user.is_unverified_sign_up() {
        // Not the password of the sign-up, so perhaps not the same person.
        row.name = Set(Name::of_address(&user.email).as_str().to_owned());
        row.age = Set(None);
    }
    let user = prove(tx, user, row, action, actor).await?;
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

/// Stores a new hash of the same password, unless the password has changed since. Not a change of the account.
pub async fn keep_rehashed(conn: &impl ConnectionTrait, user: &user::Model, hash: String) -> Result<(), DbErr> {
    user::Entity::update_many()
        .col_expr(user::Column::PasswordHash, Expr::value(hash))
        .filter(user::Column::Id.eq(user.id))
        .filter(user::Column::PasswordHash.eq(user.password_hash.clone()))
        .exec(conn)
        .await
        .map(drop)
}

/// Ends what the old password opened, however it was changed.
async fn end_what_the_old_one_opened(tx: &Tx, user_id: i64, keep: Option<Uuid>) -> Result<(), DbErr> {
    let which = keep.map_or(Which::All, Which::Others);
    sessions::end(&**tx, user_id, which, "password changed").await?;
    mfa::forget_enrolments(&**tx, user_id).await?;
    mail_tokens::spend_all_but_undo(&**tx, user_id).await
}
