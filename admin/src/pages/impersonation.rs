//! Ending an impersonation. It starts as an action on the user's page.

use axum::{extract::State, response::Response};
use usher_shared::accounts::impersonation;

use crate::{sign_in::next::HOME, state::AppState, texts};
use usher_admin_engine::{AdminError, Posted, Site, Staff, Visit};

/// The action on users that starts it.
pub(crate) const ACTION: &str = "impersonate";

/// Whether this admin has it.
pub(crate) fn is_offered(site: &Site) -> bool {
    let users = site.model("users");
    users.is_some_and(|users| users.actions.iter().any(|action| action.name == ACTION))
}

/// `POST /admin/impersonation/end`
pub(crate) async fn end(
    State(state): State<AppState>,
    visit: Visit,
    staff: Staff,
    Posted(form): Posted,
) -> Result<Response, AdminError> {
    let acting_for = staff.acting_for();
    let to = acting_for.map_or_else(|| HOME.to_owned(), |acting_for| acting_for.href.clone());
    let tx = form.begin(&state).await?;
    let ended = impersonation::end(&**tx, staff.id(), &staff.actor(&visit)).await?;
    let words = match ended {
        0 => texts::impersonation::NONE,
        _ => texts::impersonation::ENDED,
    };
    tx.finish(visit.say(words, &to)).await
}
