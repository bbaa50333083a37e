//! Pages that are not those of a model.

pub(crate) mod account;
pub(crate) mod dashboard;
pub(crate) mod impersonation;
pub(crate) mod jobs_overview;
pub(crate) mod mail_body;
mod plot;
pub(crate) mod queue_figures;
pub(crate) mod series;
pub(crate) mod theme;
pub(crate) mod user_import;
