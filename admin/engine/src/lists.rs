//! Lists: their addresses, filters, searches, order and pages, and the rows selected in them.

pub(crate) mod back;
pub(crate) mod columns;
pub(crate) mod count;
pub(crate) mod filter;
pub(crate) mod filters;
pub(crate) mod keyset;
pub(crate) mod period;
pub(crate) mod query;
pub(crate) mod search;
pub(crate) mod selection;
