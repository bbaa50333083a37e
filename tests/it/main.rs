//! The whole application from outside, as real processes: the journey from sign-up over the welcome mail to
//! the admin, on embedded parts and on PostgreSQL, Redis and SMTP; and how a process refuses to start.

mod backup;
mod chaos;
mod commands;
mod dev;
mod doctor;
mod embedded;
mod examples;
mod generators;
mod greeting;
mod imports;
mod live;
mod mailed_links;
mod metrics;
mod parts;
mod pooler;
mod production;
mod quick_start;
mod rotation;
mod secrets;
mod services;
mod settings_file;
mod staff;
mod startup;
mod traces;
mod upgrade;
mod webhooks;
