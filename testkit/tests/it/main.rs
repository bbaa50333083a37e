//! The kit proves itself: each server starts, works, and is gone afterwards.

mod browser;
mod cleanup;
mod databases;
mod mailbox;
mod program;
mod proxy;
mod queue;
mod smtp_sink;
