//! `GET /events`: what happened, in pages or as it comes.

mod asyncapi;
mod catalog;
mod data;
mod document;
mod list;
mod messages;
mod selection;
mod shape;
pub(crate) mod socket;
mod start;
mod stream;

use usher_shared::{
    events::Listener,
    foundation::rules::{Violation, ViolationKind},
};
use utoipa_axum::router::OpenApiRouter;

use crate::{
    state::AppState,
    toolkit::{
        caller::Caller,
        error::ApiError,
        fields::{FieldError, Step},
    },
};

pub(crate) use asyncapi::{SERVERS, channels, messages, operations, schemas};
pub(crate) use catalog::Catalog;
pub(crate) use data::{EventData, named};
pub(crate) use document::describe;

pub(crate) fn router() -> OpenApiRouter<AppState> {
    list::router()
}

/// A reader of the stream for a caller: of these types, or all that they may see, after a position, or from now on.
///
/// # Errors
///
/// A type that there is none of, types that the caller may not see, or a position that is not there.
pub(crate) async fn listen(
    state: &AppState,
    caller: &Caller,
    types: Option<Vec<String>>,
    after: Option<i64>,
) -> Result<Listener, ApiError> {
    let fault = |name: &'static str, violation| {
        let fault = FieldError::new("query", Some(Step::Key(name.into())), violation);
        ApiError::Invalid(vec![fault])
    };
    let patterns = selection::check_patterns(types.unwrap_or_else(|| vec!["*".to_owned()]));
    let selection = selection::select(&patterns.map_err(|violation| fault("types", violation))?, caller)?;
    let after = match after {
        Some(after) if after < 0 => {
            let violation = Violation::new(ViolationKind::GreaterThanEqual, "after is a whole number from 0 up");
            return Err(fault("after", violation));
        }
        Some(after) => start::after(&state.events, after).await?,
        None => state.events.newest().await?,
    };
    Ok(state.events.listen(after, selection))
}
