//! The worker from outside: real databases, Redis and an SMTP server; jobs go in by the jobs table, and what comes out
//! is read from the tables and the mailbox.

mod clocks;
mod cost;
mod drain;
mod endings;
mod example;
mod files;
mod journey;
mod leases;
mod limits;
mod long;
mod mail_trouble;
mod mails;
mod network;
mod processes;
mod quarantine;
mod queue;
mod smtp_faults;
mod test_worker;
mod trace;
mod upkeep;
mod webhook_examples;
mod webhooks;
mod welcome;
