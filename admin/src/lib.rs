//! The staff admin of Usher: server-rendered, fully usable without JavaScript.
//!
//! A product adds models, pages and cards by an [`Extension`], and serves the whole with
//! [`AppState::with_extension`]. `usher_admin_engine` explains how a model is declared; [`models`] has those that a
//! product's models can refer to.

mod apps;
mod error_page;
#[cfg(test)]
mod example;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod health;
mod live;
pub mod models;
mod pages;
mod routes;
mod server;
mod sign_in;
mod state;
mod texts;
#[cfg(test)]
mod type_tests;
mod visit;

use sea_orm::{DatabaseConnection, DbErr};

pub use models::enqueue_bulk;
pub use server::{paths, router, run, run_with, serve, serve_with};
pub use state::AppState;
use usher_admin_engine::AdminModel;
pub use usher_admin_engine::Extension;
use usher_shared::{accounts::staff::imports::ImportExtension, foundation::program::BuiltIn};

/// The extension, and the admin without this part of Usher. Parts of other services change nothing.
#[must_use]
pub fn without(extension: Extension, part: BuiltIn) -> Extension {
    apps::without(extension, part)
}

/// The extension with the pages of an import of `M`, and a link to them in the model's list. `about` is on the page with
/// the form.
#[must_use]
pub fn with_import<M: AdminModel>(extension: Extension, import: ImportExtension, about: &'static str) -> Extension {
    pages::own_import::add::<M>(extension, import, about)
}

/// Whether a product's extension fits beside Usher's own apps. An error is one line: what two apps register, or what
/// refers to nothing.
pub fn check(extension: &Extension) -> Result<(), String> {
    apps::site(extension).map(drop)
}

/// The indexes that lists, filters and searches of the admin want and this database lacks, one sentence each.
pub async fn lacking_indexes(db: &DatabaseConnection, extension: &Extension) -> Result<Vec<String>, DbErr> {
    let site = apps::site(extension).map_err(DbErr::Custom)?;
    let missing = usher_admin_engine::missing_indexes(db, &site).await?;
    Ok(missing.iter().map(ToString::to_string).collect())
}

/// Every permission that a role can be given: of Usher's models and pages, and of those that a product adds.
pub fn permissions(extension: &Extension) -> Result<Vec<String>, String> {
    let groups = apps::site(extension)?.permissions().into_iter();
    let options = groups.flat_map(|group| group.columns.into_iter().flatten().chain(group.others));
    Ok(options.map(|option| option.value).collect())
}
