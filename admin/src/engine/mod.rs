//! The engine of the admin: lists, forms, saves, actions and histories for any declared model.
//! It knows no model of Usher's; those are declared in `crate::models`.

#[cfg(any(test, fuzzing))]
mod error;
pub(crate) mod fuzzing;

use axum::routing::{get, post};

pub(crate) use crate::engine::declare::many_to_many::Across;
pub(crate) use crate::engine::declare::action::{Acting, Action, Ran};
pub(crate) use crate::engine::declare::params::Ask;
pub(crate) use crate::engine::declare::by_clock::ByClock;
pub(crate) use crate::engine::lists::count::{EXACT_UP_TO, grouped};
pub(crate) use crate::engine::declare::deletion::{Deletion, Fate, Related, Soft};
pub(crate) use crate::engine::rows::draft::Draft;
pub(crate) use crate::engine::declare::field::{Field, Search, Tone};
pub(crate) use crate::engine::declare::indexes::missing as missing_indexes;
pub(crate) use crate::engine::declare::inline::Inline;
pub(crate) use crate::engine::declare::meta::{Meta, Operation, capitalised};
pub(crate) use crate::engine::declare::model::{AdminModel, Answer, Change, Changed, Ordering, Saving, Site};
pub(crate) use crate::engine::declare::panel::{Panel, headings};
pub(crate) use crate::engine::declare::permissions::COLUMNS as PERMISSION_COLUMNS;
pub(crate) use crate::engine::rows::row::{Cell, Row, short_time};
pub(crate) use crate::engine::lists::search::nothing;
pub(crate) use crate::engine::declare::checklist::{TickGroup, TickOption, Ticks};

use crate::routes::Routes;

/// The pages of every registered model.
pub(crate) fn routes(routes: Routes) -> Routes {
    routes
        .staff("/admin/search", get(crate::engine::pages::autocomplete::search))
        .staff("/admin/{model}", get(crate::engine::pages::list::show))
        .staff("/admin/{model}/autocomplete", get(crate::engine::pages::autocomplete::suggest))
        .staff("/admin/{model}/new", get(crate::engine::pages::object::blank).post(crate::engine::pages::object::create))
        .staff("/admin/{model}/export.csv", get(crate::engine::pages::export::as_csv))
        .staff("/admin/{model}/export.json", get(crate::engine::pages::export::as_json))
        .staff("/admin/{model}/columns", post(crate::engine::lists::columns::choose))
        .staff("/admin/{model}/actions", get(crate::engine::pages::confirm::show).post(crate::engine::declare::action::run))
        .staff("/admin/{model}/{id}", get(crate::engine::pages::object::show).post(crate::engine::pages::object::change))
        .staff("/admin/{model}/{id}/delete", get(crate::engine::declare::deletion::show).post(crate::engine::declare::deletion::run))
        .staff("/admin/{model}/{id}/restore", post(crate::engine::declare::deletion::restore))
        .staff("/admin/{model}/{id}/export.json", get(crate::engine::pages::object_export::export))
        .staff("/admin/{model}/{id}/history", get(crate::engine::pages::history::show))
}
