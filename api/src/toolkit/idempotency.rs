//! `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header): a POST or PATCH that is sent again has its effect
//! once and gets the first answer again. One layer around every operation, so that none has to think of it.

mod document;
mod key;
mod layer;
mod reservation;

pub(crate) use document::describe;
#[cfg(any(test, fuzzing))]
pub(crate) use key::key_of;
pub(crate) use layer::once;
