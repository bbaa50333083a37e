//! TODO: say why this folder exists.

mod cookie;
mod csrf;
mod form_token;
mod posted;
mod staff;
mod visit;
