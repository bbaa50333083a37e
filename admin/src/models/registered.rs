//! The names of the models. Each is declared in the file of its name.

/// User accounts.
#[derive(Debug)]
pub struct Users;
/// Roles of staff, with their permissions.
#[derive(Debug)]
pub struct Roles;
/// Sessions of the API and of the admin.
#[derive(Debug)]
pub struct Sessions;
/// API keys.
#[derive(Debug)]
pub struct ApiKeys;
/// Jobs.
#[derive(Debug)]
pub struct Jobs;
/// Recurring jobs.
#[derive(Debug)]
pub struct Schedules;
/// Pauses and limits of queues.
#[derive(Debug)]
pub struct Queues;
/// Every email sent or attempted.
#[derive(Debug)]
pub struct Mails;
/// Addresses that no email is sent to.
#[derive(Debug)]
pub struct Suppressions;
/// Mail servers on hold.
#[derive(Debug)]
pub struct Breakers;
/// The stream of events.
#[derive(Debug)]
pub struct Events;
/// Where events are sent.
#[derive(Debug)]
pub struct Webhooks;
/// How events were sent.
#[derive(Debug)]
pub struct Deliveries;
/// The audit log.
#[derive(Debug)]
pub struct AuditLog;
