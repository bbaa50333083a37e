//! The engine of the admin: lists, forms, saves, actions and histories for any declared model.
//! It knows no model of Usher's; those are declared in `crate::models`.

mod across;
mod action;
mod answers;
mod autocomplete;
mod bulk;
mod clock;
mod columns;
mod confirm;
mod count;
mod delete;
mod dossier;
mod draft;
mod export;
mod field;
mod filters;
mod form;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod history;
mod indexes;
mod inline;
mod keyset;
mod list;
mod meta;
mod model;
mod names;
mod object;
mod panel;
mod period;
mod permissions;
#[cfg(test)]
mod promises;
mod query;
mod row;
mod save;
mod search;
mod seen;
mod selection;
mod storage;
mod ticks;

use axum::routing::{get, post};

pub(crate) use across::Across;
pub(crate) use action::{Acting, Action, Ran};
pub(crate) use answers::Ask;
pub(crate) use clock::ByClock;
pub(crate) use count::{EXACT_UP_TO, grouped};
pub(crate) use delete::{Deletion, Fate, Related, Soft};
pub(crate) use draft::Draft;
pub(crate) use field::{Field, Search, Tone};
pub(crate) use indexes::missing as missing_indexes;
pub(crate) use inline::Inline;
pub(crate) use meta::{Meta, Operation, capitalised};
pub(crate) use model::{AdminModel, Answer, Change, Changed, Ordering, Saving, Site};
pub(crate) use panel::{Panel, headings};
pub(crate) use permissions::COLUMNS as PERMISSION_COLUMNS;
pub(crate) use row::{Cell, Row, short_time};
pub(crate) use search::nothing;
pub(crate) use ticks::{TickGroup, TickOption, Ticks};

use crate::routes::Routes;

/// The pages of every registered model.
pub(crate) fn routes(routes: Routes) -> Routes {
    routes
        .staff("/admin/search", get(autocomplete::search))
        .staff("/admin/{model}", get(list::show))
        .staff("/admin/{model}/autocomplete", get(autocomplete::suggest))
        .staff("/admin/{model}/new", get(object::blank).post(object::create))
        .staff("/admin/{model}/export.csv", get(export::as_csv))
        .staff("/admin/{model}/export.json", get(export::as_json))
        .staff("/admin/{model}/columns", post(columns::choose))
        .staff("/admin/{model}/actions", get(confirm::show).post(action::run))
        .staff("/admin/{model}/{id}", get(object::show).post(object::change))
        .staff("/admin/{model}/{id}/delete", get(delete::show).post(delete::run))
        .staff("/admin/{model}/{id}/restore", post(delete::restore))
        .staff("/admin/{model}/{id}/export.json", get(dossier::export))
        .staff("/admin/{model}/{id}/history", get(history::show))
}
