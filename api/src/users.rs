//! People with an account, for the services and front ends that create and look them up.
#![expect(unused_qualifications, reason = "utoipa writes them for the types in `params`")]

mod change;
mod create;
mod external;
mod input;
mod list;
mod sessions;
mod shape;
mod show;
mod standing;

use utoipa_axum::router::OpenApiRouter;

use crate::{events::EventData, state::AppState};

pub(crate) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .merge(list::router())
        .merge(create::router())
        .merge(show::router())
        .merge(change::router())
        .merge(external::router())
        .merge(standing::router())
        .merge(sessions::router())
}

/// What the data of events about users is.
pub(crate) fn event_data() -> [EventData; 2] {
    shape::event_data()
}
