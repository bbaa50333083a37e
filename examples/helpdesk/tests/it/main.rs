//! The helpdesk, tried on SQLite and on PostgreSQL.

mod attachments;
mod tickets;
mod time;
mod tutorial;
