//! Webhooks: where events are sent, and how that went.

mod change;
mod create;
mod deliveries;
mod input;
mod list;
mod shape;

use usher_shared::foundation::entity::webhook_endpoint;
use utoipa_axum::router::OpenApiRouter;

use crate::{
    state::AppState,
    toolkit::{
        caller::{Access, ApiKey},
        error::ApiError,
        fields::in_body,
    },
};
use usher_shared::foundation::rules::Violation;

pub(crate) fn router() -> OpenApiRouter<AppState> {
    list::router()
        .merge(create::router())
        .merge(change::router())
        .merge(deliveries::router())
}

/// Whoever decides where events go could read them, so a key needs the scope of each type.
fn may_see<A: Access>(key: &ApiKey<A>, types: &str) -> Result<(), ApiError> {
    let lacking = types.split(' ').find_map(|word| {
        let kind = usher_shared::events::EventType::all().find(|kind| kind.as_str() == word);
        let scope = kind.map_or("", usher_shared::events::EventType::scope);
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

/// [`may_see`] for a webhook that is there.
fn may_change<A: Access>(key: &ApiKey<A>, webhook: &webhook_endpoint::Model) -> Result<(), ApiError> {
    may_see(key, &webhook.types)
}
