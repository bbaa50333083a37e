//! TODO: say why this folder exists.

mod draft;
mod names;
mod row;
mod storage;
