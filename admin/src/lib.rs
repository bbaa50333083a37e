//! The staff admin of Usher: server-rendered, and whole without JavaScript.

mod engine;
#[cfg(test)]
mod example;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod health;
mod models;
mod routes;
mod server;
mod state;

pub use server::{paths, router, run, serve};
pub use state::AppState;
