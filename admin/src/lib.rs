//! The staff admin of Usher: server-rendered, and whole without JavaScript.

mod account;
mod assets;
mod cookie;
mod csrf;
mod dashboard;
mod device;
mod engine;
mod error;
#[cfg(test)]
mod example;
mod flash;
mod form_token;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod health;
mod impersonation;
mod import;
mod kept;
mod login;
mod mail_body;
mod mfa;
mod models;
mod overview;
mod page;
mod plot;
mod posted;
mod reauth;
mod routes;
mod series;
mod server;
mod session;
mod shell;
mod staff;
mod state;
mod theme;
mod visit;

pub use server::{paths, router, run, serve};
pub use state::AppState;
