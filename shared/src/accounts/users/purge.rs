//! Removing an account for good.

use sea_orm::{ColumnTrait, DbErr, EntityTrait, QueryFilter, QuerySelect};

use super::{deletion::RESTORABLE, events};
use crate::{
    accounts::{
        hooks::{self, HookContext, UserEvent, UserEventKind, UserPurged},
        user_data,
    },
    audit::{self, Actor, Entry},
    foundation::{
        db::Transactional,
        entity::{mail, mail_suppression, user},
        time::now,
    },
    jobs::Tx,
};

/// Removes an account that was deleted 30 days ago, with its roles, sessions, factors and tokens, its mails, which
/// contain the address, and what the product's apps say ([`user_data`]). False if there is no such account, because
/// somebody has restored it. After an error the transaction must be dropped.
pub async fn purge(tx: &Tx, id: i64) -> Result<bool, DbErr> {
    let due = user::Entity::find_by_id(id).filter(user::Column::DeletedAt.lt(now() - RESTORABLE));
    let Some(user) = due.lock_exclusive().one(&**tx).await? else {
        return Ok(false);
    };
    run_hooks(tx, &user).await?;
    let mails = mail::Entity::delete_many().filter(mail::Column::UserId.eq(id));
    mails.exec(&**tx).await?;
    let suppressions = mail_suppression::Entity::delete_many().filter(mail_suppression::Column::UserId.eq(id));
    suppressions.exec(&**tx).await?;
    user::Entity::delete_by_id(id).exec(&**tx).await?;
    events::record_purge(&**tx, id).await?;
    let entry = Entry {
        action: "purge",
        object_type: "user",
        object_id: Some(id.to_string()),
        reason: Some("deleted thirty days ago".to_owned()),
        ..Entry::default()
    };
    audit::record(&**tx, &Actor::system(), entry).await?;
    Ok(true)
}

/// The hooks of an account that they know of; the apps' rules for any.
async fn run_hooks(tx: &Tx, user: &user::Model) -> Result<(), DbErr> {
    let actor = &Actor::system();
    if hooks::has_hooks(&[UserEventKind::Purged]) && hooks::is_known(&**tx, user).await? {
        let event = UserEvent::Purged(UserPurged { user });
        hooks::run(&**tx, actor, event).await.map_err(hooks::plain)?;
    }
    let context = HookContext {
        tx: tx.transaction(),
        actor,
    };
    user_data::purge(&context, user).await
}
