//! The operation: a page of events as JSON, or a stream of server-sent events.

use axum::{
    extract::State,
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
};
use usher_serve::quality;
use usher_shared::events::Page;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    selection::{EventsIn, EventsQuery, StreamIn, position},
    shape::{EventOut, EventsOut},
    stream::{self, LAST_EVENT_ID},
};
use crate::{
    state::AppState,
    toolkit::{
        caller::Caller,
        code::Code,
        error::ApiError,
        fields::FieldError,
        openapi::{Errors, KEY_ERRORS, error_list},
        query::{FromQuery, Query},
    },
};

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list))
}

/// Follow what happens
///
/// Every change of an object is an event, written together with it: there is one if and only if the change was made.
/// Events are in order, and once you have seen one, nothing appears before it any more: remember the last position, and
/// go on after it.
///
/// With `Accept: text/event-stream` the answer doesn't end: events are sent as they happen (server-sent events), each
/// with its position as `id`, and about every 15 seconds a comment. A stream ends with the event `end`, whose data has
/// the `reason`: `credential_ended`, `token_expired`, `shutting_down` or `unavailable`. Connect again with
/// `Last-Event-ID`.
///
/// An API key gets the types that its scopes show: those of users with `users:read`. A signed-in person gets what is
/// about themselves, of the types that the product shows to people. Events are kept for a while (`EVENT_RETENTION_DAYS`,
/// usually 30); events about a user are removed with the account.
#[utoipa::path(
    get, path = "/events", operation_id = "listEvents", tag = "Events",
    params(EventsIn, StreamIn),
    responses(
        (status = 200, description = "Events in their order", content(
            (EventsOut = "application/json"),
            (EventOut = "text/event-stream"),
        )),
        Errors<List>,
    ),
    security(("apiKey" = ["users:read"]), ("accessToken" = [])),
)]
async fn list(
    State(state): State<AppState>,
    caller: Caller,
    headers: HeaderMap,
    Query(query): Query<EventsQuery>,
) -> Result<Response, ApiError> {
    let selection = query.selection(&caller)?;
    let is_stream = wants_stream(&headers);
    let last_seen = if is_stream { last_event_id(&headers)? } else { None };
    let after = match last_seen.or(query.after) {
        Some(after) => Some(there(&state, after).await?),
        None => None,
    };
    if is_stream {
        if after.is_some_and(|after| after > 0) && after < Some(state.events.removed_through().await?) {
            return Err(Code::EVENTS_REMOVED.into());
        }
        return stream::follow(&state, caller, after, selection).await;
    }
    let begin = match after.filter(|after| *after > 0) {
        Some(after) => after,
        None => state.events.removed_through().await?,
    };
    let page = state.events.page(begin, query.limit, &selection).await?;
    // Afterwards, so that nothing is removed in between.
    if after.is_some_and(|after| after > 0) && begin < state.events.removed_through().await? {
        return Err(Code::EVENTS_REMOVED.into());
    }
    Ok(answer(&page))
}

error_list!(
    List,
    [KEY_ERRORS],
    [EVENTS_REMOVED, INVALID_REQUEST, POSITION_UNKNOWN, TOO_MANY_STREAMS],
    EventsQuery::sample_fault
);

/// The position, if the stream has come so far.
async fn there(state: &AppState, after: i64) -> Result<i64, ApiError> {
    if after > state.events.newest().await? && after > state.events.newest_taken().await? {
        return Err(Code::POSITION_UNKNOWN.into());
    }
    Ok(after)
}

fn wants_stream(headers: &HeaderMap) -> bool {
    let stream = quality(headers, header::ACCEPT, "text/event-stream").unwrap_or_default();
    stream > 0.0 && stream >= quality(headers, header::ACCEPT, "application/json").unwrap_or_default()
}

fn last_event_id(headers: &HeaderMap) -> Result<Option<i64>, ApiError> {
    let Some(value) = headers.get(LAST_EVENT_ID).filter(|value| !value.is_empty()) else {
        return Ok(None);
    };
    let read = value.to_str().ok().and_then(|text| position(text).ok());
    let fault = || FieldError::in_header("Last-Event-ID", "Send the id of the last event that you have seen");
    read.map(Some).ok_or_else(|| ApiError::Invalid(vec![fault()]))
}

/// Written by hand: the events are JSON already.
fn answer(page: &Page) -> Response {
    let events: Vec<&str> = page.batch.events.iter().map(|event| event.json.as_str()).collect();
    let (events, next_after, has_more) = (events.join(","), page.batch.through, page.has_more);
    let body = format!(r#"{{"data":[{events}],"next_after":{next_after},"has_more":{has_more}}}"#);
    (
        [
            (header::CONTENT_TYPE, "application/json"),
            (header::CACHE_CONTROL, "no-store"),
        ],
        body,
    )
        .into_response()
}
