//! Pages that are not those of a model.

pub(crate) mod account;
pub(crate) mod dashboard;
pub(crate) mod impersonation;
mod import;
pub(crate) mod jobs_overview;
pub(crate) mod mail_body;
pub(crate) mod own_import;
mod plot;
pub(crate) mod queue_figures;
pub(crate) mod series;
pub(crate) mod theme;
pub(crate) mod user_import;
