//! The admin as a browser sees it: the real router on real databases.

mod actions;
mod app;
mod browser;
mod columns;
mod costs;
mod dashboard;
mod escaping;
mod export;
mod finding;
mod forms;
mod headers;
mod hostile;
mod impersonation;
mod imports;
mod inlines;
mod jobs;
mod lists;
mod mails;
mod matrix;
mod mfa;
mod permissions;
mod roles;
mod sign_in;
mod users;
