//! The helpdesk, tried on SQLite and on PostgreSQL.

mod tickets;
mod time;
mod tutorial;
