//! `GET /admin/live`: tells an open page that it may have changed, as server-sent events (WHATWG HTML §9.2). It never
//! sends what has changed: the page asks for itself again, with the same session and the same permissions.
//!
//! Of users, and of a product's objects that have events, it hears by the stream of events. Jobs change too often for
//! events: while a job's page is open, its row is looked at once in a second, by one statement that reads one row.

mod follower;
pub(crate) mod open_streams;

use axum::{
    extract::{Query, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use usher_admin_engine::{AdminError, Operation, Staff, csrf};
use usher_shared::events::EventType;
use uuid::Uuid;

use crate::{sign_in::visitor::SignedIn, state::AppState};
use follower::{Follower, JobWatch};

/// What a page shows.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Asked {
    /// A model's name, or `*` for all that the person may view.
    #[serde(default)]
    of: String,
    /// One object of the model.
    #[serde(default)]
    id: Option<String>,
}

/// `GET /admin/live?of={model}[&id={id}]`
pub(crate) async fn follow(
    State(state): State<AppState>,
    SignedIn(signed): SignedIn,
    staff: Staff,
    Query(asked): Query<Asked>,
    headers: HeaderMap,
) -> Result<Response, AdminError> {
    if is_foreign(&headers, &state) {
        return Ok((StatusCode::FORBIDDEN, "Only pages of this admin are told of changes.\n").into_response());
    }
    let models: Vec<_> = if asked.of == "*" {
        let models = state.site.models.iter();
        models.filter(|model| model.allows(&staff, Operation::View)).collect()
    } else {
        let model = state.site.model(&asked.of).ok_or(AdminError::NotFound)?;
        staff.require(&format!("{}.view", model.meta.name))?;
        vec![model]
    };
    let has_kind = |kind: &EventType| {
        models
            .iter()
            .any(|model| model.meta.object_type() == kind.object_type())
    };
    let kinds = EventType::all().filter(has_kind).map(EventType::as_str).collect();
    let job = asked.id.filter(|_| asked.of == "jobs");
    let job = job.and_then(|id| id.parse::<Uuid>().ok()).map(JobWatch::new);
    let Some(open) = state.streams.open(&state, signed) else {
        return Ok((StatusCode::TOO_MANY_REQUESTS, "Too many pages are open.\n").into_response());
    };
    let follower = Follower::new(&state, open, kinds, job).await?;
    // A browser that gets no content doesn't ask again.
    Ok(follower.map_or_else(|| StatusCode::NO_CONTENT.into_response(), Follower::respond))
}

/// Whether the browser says that another site asks, or that nobody's page does.
fn is_foreign(headers: &HeaderMap, state: &AppState) -> bool {
    let by_hand = headers.get("sec-fetch-site").is_some_and(|site| site == "none");
    by_hand || csrf::check_origin(headers, &state.config.admin_url).is_err()
}
