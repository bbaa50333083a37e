//! The pages of every model: list, form, history, actions, exports and search.

pub(crate) mod action;
pub(crate) mod autocomplete;
mod bulk;
pub(crate) mod cards;
mod chosen;
pub(crate) mod columns;
pub(crate) mod confirm;
pub(crate) mod delete;
pub(crate) mod export;
mod form;
pub(crate) mod history;
mod inlines;
pub(crate) mod list;
mod model_request;
pub(crate) mod object;
pub(crate) mod object_export;
mod object_page;
mod save;
mod snapshot;
