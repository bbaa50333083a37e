//! TODO: say why this folder exists.

mod account;
mod dashboard;
mod impersonation;
mod jobs_overview;
mod mail_body;
mod plot;
mod series;
mod user_import;
