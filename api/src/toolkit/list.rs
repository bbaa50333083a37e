//! Lists, once for every resource: pages by key, from an order that an index holds, and never more work than a page
//! is worth, however the list is filtered.

mod answer;
mod cursor;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod order;
mod page;
mod query;

pub(crate) use answer::ListOut;
pub(crate) use order::{Filter, Listed};
pub(crate) use query::{ListIn, ListQuery, limit_fault};
