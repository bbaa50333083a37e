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
    start,
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

/// Where it is.
pub(super) fn path() -> String {
    <__path_list as utoipa::Path>::path()
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
    if wants_stream(&headers) {
        let after = match last_event_id(&headers)?.or(query.after) {
            Some(after) => start::after(&state.events, after).await?,
            None => state.events.newest().await?,
        };
        return stream::follow(&state, &caller, after, selection);
    }
    let after = start::after(&state.events, query.after.unwrap_or_default()).await?;
    let page = state.events.page(after, query.limit, &selection).await?;
    // Once more, because some may have been removed in between.
    if after < state.events.removed_through().await? {
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
    let events: Vec<&str> = page.batch.events.iter().map(|event| &*event.json).collect();
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
