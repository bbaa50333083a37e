//! The API as its clients see it: the real router on real databases.

mod app;
mod browsing;
mod changes;
mod credentials;
mod documents;
mod errors;
mod health;
mod idempotency;
mod limits;
mod lists;
mod odd_input;
mod people;
mod requests;
mod serving;
mod sessions;
mod set_password;
mod sign_in;
mod sign_up;
mod users;
