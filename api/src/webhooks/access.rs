//! Who may decide where events go.

use sea_orm::Condition;
use usher_shared::{
    events::EventType,
    foundation::{
        entity::webhook_endpoint::{Entity, Model},
        rules::Violation,
    },
    jobs::Tx,
};

use crate::toolkit::{
    caller::{Access, ApiKey, WebhooksWrite},
    error::ApiError,
    fields::in_body,
    path_id::PathId,
};

/// Whoever decides where events go could read them, so a key needs the scope of each type.
pub(super) fn may_see<A: Access>(key: &ApiKey<A>, types: &str) -> Result<(), ApiError> {
    let lacking = types.split(' ').find_map(|word| {
        let kind = EventType::all().find(|kind| kind.as_str() == word);
        let scope = kind.map_or("", EventType::scope);
        let has = key.row().scopes.split(' ').any(|own| own == scope);
        (!has).then_some((word, scope))
    });
    match lacking {
        None => Ok(()),
        Some((word, scope)) => {
            let message = format!("The key needs the scope {scope} for {word}");
            Err(ApiError::Invalid(vec![in_body("types", Violation::value(message))]))
        }
    }
}

/// The webhook, held for a change by a key that may see its events.
pub(super) async fn hold(tx: &Tx, key: &ApiKey<WebhooksWrite>, id: &PathId) -> Result<Model, ApiError> {
    key.hold(tx).await?;
    let webhook = id.row_for_change::<Entity>(tx, Condition::all()).await?;
    may_see(key, &webhook.types)?;
    Ok(webhook)
}
