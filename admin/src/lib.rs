//! The staff admin of Usher: server-rendered, fully usable without JavaScript.

mod error_page;
#[cfg(test)]
mod example;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod health;
mod models;
mod pages;
mod routes;
mod server;
mod sign_in;
mod state;
mod texts;
#[cfg(test)]
mod type_tests;
mod visit;

pub use server::{paths, router, run, serve};
pub use state::AppState;
