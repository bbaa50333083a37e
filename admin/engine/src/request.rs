//! What a handler learns from a request: the visitor, the person who has signed in, and the form that was sent.

pub(crate) mod cookie;
pub mod csrf;
pub(crate) mod form_token;
pub(crate) mod posted;
pub(crate) mod sent;
pub(crate) mod staff;
pub(crate) mod visit;
