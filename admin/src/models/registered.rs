//! The registered models. Each is declared in the file of its name.

pub(crate) struct Users;
pub(crate) struct Roles;
pub(crate) struct Sessions;
pub(crate) struct ApiKeys;
pub(crate) struct Jobs;
pub(crate) struct Schedules;
pub(crate) struct Queues;
pub(crate) struct Mails;
pub(crate) struct Suppressions;
pub(crate) struct Breakers;
pub(crate) struct AuditLog;
