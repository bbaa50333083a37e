//! Questions to the table about one object. Ask in the transaction of the act, about the locked row.

use sea_orm::{ConnectionTrait, DbErr, EntityTrait};

use super::{
    holder::{Holder, Target},
    refusal::Refusal,
    table::Act,
};
use crate::{
    accounts::{api_keys::Scope, staff::roles},
    foundation::entity::{api_key, user},
};

/// Why this may not be done to this account. Costs a statement only if it ends a superuser's access.
pub async fn user_refusal(
    conn: &impl ConnectionTrait,
    holder: &Holder,
    act: Act,
    user: &user::Model,
) -> Result<Option<Refusal>, DbErr> {
    if let Some(refusal) = holder.refuses_to(act, user.into()) {
        return Ok(Some(refusal));
    }
    let is_last = act.rule().shuts_out && user.is_superuser && roles::is_last_superuser(conn, user.id).await?;
    Ok(is_last.then_some(Refusal::LastSuperuser))
}

/// Why this person may not end a session of this account. One statement, none for superusers.
pub async fn session_refusal(
    conn: &impl ConnectionTrait,
    holder: &Holder,
    user_id: i64,
) -> Result<Option<Refusal>, DbErr> {
    if let Some(refusal) = holder.refuses(Act::EndSession) {
        return Ok(Some(refusal));
    }
    if holder.is_superuser() {
        return Ok(None);
    }
    let owner = owner(conn, user_id).await?;
    Ok(owner.and_then(|owner| holder.refuses_to(Act::EndSession, owner)))
}

/// Why this may not be done to this key, or with these scopes: whoever creates, changes or rotates a key could use it,
/// so they need all its permissions. Revoking only takes away.
#[must_use]
pub fn key_refusal(holder: &Holder, act: Act, key: Option<&api_key::Model>, scopes: &[Scope]) -> Option<Refusal> {
    if let Some(refusal) = holder.refuses(act) {
        return Some(refusal);
    }
    if act == Act::RevokeKey {
        return None;
    }
    let had = key
        .into_iter()
        .flat_map(|key| key.scopes.split(' ').filter_map(Scope::parse));
    let (scope, permission) = holder.lacks(had.chain(scopes.iter().copied()))?;
    Some(Refusal::Scope(scope.as_str(), permission))
}

/// The account with this id, deleted or not.
pub(in crate::accounts::staff) async fn owner(
    conn: &impl ConnectionTrait,
    user_id: i64,
) -> Result<Option<Target>, DbErr> {
    let owner = user::Entity::find_by_id(user_id).one(conn).await?;
    Ok(owner.as_ref().map(Target::from))
}
