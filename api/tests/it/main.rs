//! The API as its clients see it: the real router on real databases.

mod app;
mod browsing;
mod changes;
mod credentials;
mod deletion;
mod documents;
mod email_change;
mod errors;
mod health;
mod idempotency;
mod limits;
mod lists;
mod oauth;
mod odd_input;
mod passwords;
mod people;
mod requests;
mod second_factor;
mod self_sign_up;
mod serving;
mod sessions;
mod set_password;
mod sign_in;
mod sign_up;
mod users;
