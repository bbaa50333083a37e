//! The action that a form chooses, and where the form came from.

use axum::response::Response;

use crate::context::AdminContext;
use crate::declare::{action::Action, meta::Operation, model::Model, site::Site};
use crate::error::AdminError;
use crate::lists::back::{BACK, back_query, list_of, path_segment};
use crate::request::{sent::Fields, staff::Staff, visit::Visit};

/// The field of a confirmed form.
pub(crate) const CONFIRMED: &str = "_confirmed";
/// The object on whose page the action was chosen.
pub(crate) const FROM: &str = "from_object";

/// A form of an action, and who sent it.
pub(crate) struct Chosen<'a> {
    pub(crate) context: &'a AdminContext,
    pub(crate) visit: &'a Visit,
    pub(crate) staff: &'a Staff,
    pub(crate) model: &'a Model,
    pub(crate) action: &'a Action,
    pub(crate) form: &'a Fields,
}

impl Chosen<'_> {
    pub(crate) fn way_back(&self) -> String {
        way_back(self.model, self.form)
    }

    pub(crate) fn nothing_selected(&self) -> Response {
        let plural = self.model.meta.plural;
        let words = format!("Select one or more {plural} first");
        self.visit.say_warning(words, &self.way_back())
    }

    pub(crate) fn one_at_a_time(&self) -> Response {
        let singular = self.model.meta.singular;
        let words = format!(
            "“{}” works on one {singular} at a time. Select just one.",
            self.action.label
        );
        self.visit.say_warning(words, &self.way_back())
    }
}

/// The action that a form chooses, if this person may run it.
pub(crate) fn chosen<'a>(
    site: &'a Site,
    staff: &Staff,
    name: &str,
    form: &Fields,
) -> Result<(&'a Model, &'a Action), AdminError> {
    let model = site.model(name).ok_or(AdminError::NotFound)?;
    let wanted = form.get("action").unwrap_or_default();
    let action = model.actions.iter().find(|action| action.name == wanted);
    let Some(action) = action else {
        let may_any = model.actions.iter().any(|action| staff.may(&action.permission(model)));
        if !may_any {
            staff.require(&format!("{}.action", model.meta.name))?;
        }
        return Err(AdminError::BadRequest("Choose an action from the list".to_owned()));
    };
    staff.require(&model.meta.permission(Operation::View))?;
    staff.require(&action.permission(model))?;
    Ok((model, action))
}

/// Where the form came from: an object's page with its way back, or the list.
pub(crate) fn way_back(model: &Model, form: &Fields) -> String {
    match form.get(FROM) {
        Some(id) => {
            let list = back_query(form).map(|query| format!("?{BACK}={}", path_segment(&query)));
            format!("{}/{}{}", model.href(), path_segment(id), list.unwrap_or_default())
        }
        None => list_of(model, form),
    }
}
