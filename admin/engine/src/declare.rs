//! What a product declares: models, their fields, actions and relations, and the site that registers them.

pub(crate) mod action;
pub(crate) mod admin_model;
pub(crate) mod card;
pub(crate) mod checklist;
pub(crate) mod deletion;
pub(crate) mod extension;
pub(crate) mod field;
pub(crate) mod indexes;
pub(crate) mod inline;
pub(crate) mod many_to_many;
pub(crate) mod meta;
pub(crate) mod model;
pub(crate) mod page;
pub(crate) mod panel;
pub(crate) mod params;
pub(crate) mod permissions;
pub(crate) mod registering;
mod relations;
pub(crate) mod saving;
pub(crate) mod site;
pub(crate) mod spec;
pub(crate) mod time_dependent;
pub(crate) mod tone;
