//! TODO: say why this folder exists.

mod autocomplete;
mod bulk;
mod confirm;
mod export;
mod form;
mod history;
mod list;
mod object;
mod object_export;
mod save;
mod seen;
