//! Rows of a model's table: read, shown to a person, and typed into a form.

pub(crate) mod cell;
pub(crate) mod draft;
pub(crate) mod find;
mod insert;
pub(crate) mod names;
pub(crate) mod options;
pub(crate) mod read;
pub(crate) mod related;
pub(crate) mod related_change;
pub(crate) mod row;
pub(crate) mod storage;
