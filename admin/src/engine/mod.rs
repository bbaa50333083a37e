//! The engine of the admin: lists, forms, saves, actions and histories for any declared model.
//! It knows no model of Usher's; those are declared in `crate::models`.

mod action;
mod count;
mod draft;
mod field;
mod form;
mod history;
mod keyset;
mod list;
mod meta;
mod model;
mod names;
mod object;
mod panel;
mod query;
mod row;
mod save;
mod search;
mod storage;

use axum::{
    Router,
    routing::{get, post},
};

pub(crate) use action::Action;
pub(crate) use count::grouped;
pub(crate) use draft::Draft;
pub(crate) use field::{Field, Search, Tone};
pub(crate) use meta::{Meta, Operation, capitalised};
pub(crate) use model::{AdminModel, Answer, Ordering, Saving, Site};
pub(crate) use panel::Panel;
pub(crate) use row::{Cell, Row, short_time};

use crate::state::AppState;

/// The pages of every registered model.
pub(crate) fn router() -> Router<AppState> {
    Router::new()
        .route("/admin/{model}", get(list::show))
        .route("/admin/{model}/new", get(object::blank).post(object::create))
        .route("/admin/{model}/actions", post(action::run))
        .route("/admin/{model}/{id}", get(object::show).post(object::change))
        .route("/admin/{model}/{id}/history", get(history::show))
}
