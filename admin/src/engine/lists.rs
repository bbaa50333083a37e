//! TODO: say why this folder exists.

mod columns;
mod count;
mod filters;
mod keyset;
mod period;
mod query;
mod search;
mod selection;
