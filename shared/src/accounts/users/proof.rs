//! Verifying an address: somebody opened a link mailed to it, so the mailbox is theirs. If the address was not verified
//! before, everything that somebody else may have set up in the account ends (account pre-hijacking).

use sea_orm::{ActiveValue::Set, ConnectionTrait, EntityTrait};

use super::{
    find::find_for_change,
    write::{ChangeError, write},
};
use crate::{
    accounts::{
        mail_tokens::{self, LinkPurpose, RedeemError},
        mfa,
        sessions::{self, Which},
    },
    audit::Actor,
    foundation::{
        entity::{audit_log::ActorKind, mail_token, user},
        rules::Email,
        time::now,
    },
    jobs::{Tx, mail_suppressions},
};

/// Writes `row` as a change by somebody who has verified its address.
///
/// If the address was not verified before, sessions, unfinished sign-ins and enrolments, and mailed links end, except
/// links to undo a change of address, which an owner received. A confirmed second factor stays if somebody has signed
/// in before: access to the mailbox is not enough to remove it.
pub(super) async fn prove(
    tx: &Tx,
    before: user::Model,
    mut row: user::ActiveModel,
    action: &str,
    actor: &Actor,
) -> Result<user::Model, ChangeError> {
    let id = before.id;
    let was_proved = before.email_verified_at.is_some();
    let moves = row.email.is_set() && *row.email.as_ref() != before.email;
    if !was_proved || moves {
        row.email_verified_at = Set(Some(now()));
    }
    if !was_proved {
        sessions::end(&**tx, id, Which::All, "email verified").await?;
        mfa::forget_enrolments(&**tx, id).await?;
        if before.last_login_at.is_none() {
            mfa::forget_all(&**tx, id).await?;
            // The owner hasn't asked for that.
            row.delete_at = Set(None);
        }
        mail_tokens::spend_all_but_undo(&**tx, id).await?;
    }
    let owner = as_owner(&before, actor);
    let after = write(tx, before, row, action, None, &owner).await?;
    mail_suppressions::clear(&**tx, &after.email).await?;
    Ok(after)
}

/// The user of this token, without using it up. A token is only valid for the address that it was mailed to.
pub async fn holder(
    conn: &impl ConnectionTrait,
    raw: &str,
    purpose: LinkPurpose,
) -> Result<(mail_token::Model, user::Model), RedeemError> {
    let token = mail_tokens::peek(conn, raw, purpose).await?;
    let user = user::Entity::find_by_id(token.user_id).one(conn).await?;
    fitting(token, user.filter(|user| user.deleted_at.is_none()))
}

/// [`holder`], locked until the transaction ends.
pub(super) async fn owner(
    tx: &Tx,
    raw: &str,
    purpose: LinkPurpose,
) -> Result<(mail_token::Model, user::Model), RedeemError> {
    let token = mail_tokens::peek(&**tx, raw, purpose).await?;
    let user = find_for_change(tx, token.user_id).await?;
    fitting(token, user)
}

fn fitting(
    token: mail_token::Model,
    user: Option<user::Model>,
) -> Result<(mail_token::Model, user::Model), RedeemError> {
    let user = user.ok_or(RedeemError::Invalid)?;
    // Tokens for a change of address were mailed to an address that isn't the account's.
    let elsewhere = [LinkPurpose::EMAIL_CHANGE_CONFIRM, LinkPurpose::EMAIL_CHANGE_UNDO];
    let is_elsewhere = elsewhere.map(LinkPurpose::as_str).contains(&token.purpose.as_str());
    let email = token.email.as_deref().ok_or(RedeemError::Invalid)?;
    if !is_elsewhere && Email::key_of(email) != user.email_key {
        return Err(RedeemError::Invalid);
    }
    // The account has a password already.
    if token.purpose == LinkPurpose::SET_PASSWORD.as_str() && user.password_hash.is_some() {
        return Err(RedeemError::Invalid);
    }
    Ok((token, user))
}

/// A link of a product that was used up.
#[derive(Debug)]
pub struct RedeemedLink {
    /// The account that the link was mailed to, locked until the transaction ends. It isn't deleted, but may be locked
    /// or deactivated.
    pub user: user::Model,
    /// What the link is about.
    pub subject: Option<String>,
    /// The owner of the account, for the audit log.
    pub actor: Actor,
}

/// Uses up a link of a product, and with it all others of this user for this purpose and subject. Of two concurrent
/// callers one succeeds. What the link does belongs into the same transaction.
///
/// # Errors
/// [`RedeemError::Invalid`] if the token is unknown, for another purpose, used, or replaced by a newer one; if the
/// account was deleted or has another address now; and if its owner has a new password or verified the address since.
/// [`RedeemError::Expired`] after the purpose's lifetime.
pub async fn redeem_link(tx: &Tx, raw: &str, purpose: LinkPurpose, actor: &Actor) -> Result<RedeemedLink, RedeemError> {
    let (_, user) = owner(tx, raw, purpose).await?;
    let token = mail_tokens::redeem(&**tx, raw, purpose).await?;
    Ok(RedeemedLink {
        actor: as_owner(&user, actor),
        user,
        subject: token.subject,
    })
}

/// Whoever has a token from the account's mailbox acts as its owner.
pub(super) fn as_owner(user: &user::Model, actor: &Actor) -> Actor {
    Actor {
        kind: ActorKind::User,
        id: Some(user.id),
        label: user.name.clone(),
        ..actor.clone()
    }
}
