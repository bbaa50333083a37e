//! Actions on more objects than a person should wait for.

use axum::response::Response;

use super::{
    action::{AT_ONCE, Action, Selection},
    answers::Answers,
    model::Model,
};
use crate::{error::AdminError, staff::Staff, state::AppState, visit::Visit};

#[expect(clippy::too_many_arguments, reason = "what a job needs to know")]
#[expect(clippy::unused_async, reason = "it will write a job")]
pub(crate) async fn start(
    _state: &AppState,
    visit: &Visit,
    _staff: &Staff,
    model: &Model,
    _action: &Action,
    _selection: &Selection,
    _answers: &Answers,
    to: &str,
) -> Result<Response, AdminError> {
    let words = format!(
        "More than {AT_ONCE} {} at once cannot be acted on; narrow the list",
        model.meta.plural
    );
    Ok(visit.say_warning(words, to))
}
