//! The end of acting for a user. It begins as an action on the user's page.

use axum::{extract::State, response::Response};
use usher_shared::accounts::impersonation;

use crate::{engine::{error::AdminError, request::{posted::Posted, staff::Staff, visit::Visit}}, state::AppState};

/// `POST /admin/impersonation/end`
pub(crate) async fn end(
    State(state): State<AppState>,
    visit: Visit,
    staff: Staff,
    Posted(form): Posted,
) -> Result<Response, AdminError> {
    let to = staff.impersonated().map_or_else(
        || "/admin/".to_owned(),
        |impersonated| format!("/admin/users/{}", impersonated.user_id),
    );
    let tx = form.begin(&state).await?;
    let ended = impersonation::end(&**tx, staff.id(), &staff.actor(&visit)).await?;
    let words = match ended {
        0 => "You were acting for nobody any more",
        _ => "The impersonation has ended; its token is worth nothing now",
    };
    tx.finish(visit.say(words.to_owned(), &to)).await
}
