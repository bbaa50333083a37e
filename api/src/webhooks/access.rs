//! Who may decide where events go.

use usher_shared::{
    events::EventType,
    foundation::{entity::webhook_endpoint, rules::Violation},
};

use crate::toolkit::{
    caller::{Access, ApiKey},
    error::ApiError,
    fields::in_body,
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

/// [`may_see`] for a webhook that is there.
pub(super) fn may_change<A: Access>(key: &ApiKey<A>, webhook: &webhook_endpoint::Model) -> Result<(), ApiError> {
    may_see(key, &webhook.types)
}
