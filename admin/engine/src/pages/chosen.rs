//! The action that a form chooses, and where the form came from.

use axum::response::Response;

use super::model_request::ModelRequest;
use crate::declare::{action::Action, meta::Operation, model::Model};
use crate::error::AdminError;
use crate::lists::back::{back_parameter, back_query, list_of};
use crate::lists::selection::AT_ONCE;
use crate::request::sent::Fields;

/// The field of a confirmed form.
pub(crate) const CONFIRMED: &str = "_confirmed";
/// The object on whose page the action was chosen.
pub(crate) const FROM: &str = "from_object";

/// A form of an action, and who sent it.
#[derive(Clone, Copy)]
pub(crate) struct Chosen<'a> {
    pub(crate) request: &'a ModelRequest,
    pub(crate) action: &'a Action,
    pub(crate) form: &'a Fields,
}

impl<'a> Chosen<'a> {
    /// The action that a form chooses, if this person may run it.
    pub(crate) fn read(request: &'a ModelRequest, form: &'a Fields) -> Result<Self, AdminError> {
        let (model, staff) = (&request.model, &request.staff);
        let wanted = form.get("action").unwrap_or_default();
        let action = model.actions.iter().find(|action| action.name == wanted);
        let Some(action) = action else {
            let may_any = model.actions.iter().any(|action| staff.may(&action.permission(model)));
            if !may_any {
                staff.require(&format!("{}.action", model.meta.name))?;
            }
            return Err(AdminError::BadRequest("Choose an action from the list".to_owned()));
        };
        request.require(Operation::View)?;
        staff.require(&action.permission(model))?;
        Ok(Self { request, action, form })
    }

    pub(crate) fn way_back(&self) -> String {
        way_back(&self.request.model, self.form)
    }

    pub(crate) fn nothing_selected(&self) -> Response {
        let plural = self.request.model.meta.plural;
        self.warn(format!("Select one or more {plural} first"))
    }

    pub(crate) fn one_at_a_time(&self) -> Response {
        let (label, singular) = (self.action.label, self.request.model.meta.singular);
        self.warn(format!("“{label}” works on one {singular} at a time. Select just one."))
    }

    /// Goes back and says why nothing was done.
    pub(crate) fn warn(&self, words: String) -> Response {
        self.request.visit.say_warning(words, &self.way_back())
    }

    /// Why an action without a job can't run on so many.
    pub(crate) fn too_many(&self) -> String {
        let (label, plural) = (self.action.label, self.request.model.meta.plural);
        format!("“{label}” works on up to {AT_ONCE} {plural} at once. Nothing was done. Narrow the list and try again.")
    }
}

/// Where the form came from: an object's page with its way back, or the list.
pub(crate) fn way_back(model: &Model, form: &Fields) -> String {
    match form.get(FROM) {
        Some(id) => format!("{}{}", model.object_href(id), back_parameter('?', &back_query(form))),
        None => list_of(model, form),
    }
}
