//! A product put together: what its services and commands are made of.

use anyhow::Context;
use axum::Router;
use sea_orm::DatabaseConnection;
use usher_admin_engine::Extension;
use usher_api::ApiExtension;
use usher_migrations::Schema;
use usher_shared::AppContext;
use usher_worker::Registry;

use crate::{
    app::{OwnCommand, Run},
    doctor::OwnCheck,
    migrate,
    schema_check::{self, EntityTable},
};

/// A [`Project`](crate::Project) put together: the schema, and what each service serves.
pub struct Parts {
    /// Usher's migrations and those of every app.
    pub schema: Schema,
    /// Kinds of job with their handlers, and schedules.
    pub registry: Registry,
    pub(crate) entities: Vec<EntityTable>,
    pub(crate) api: ApiExtension,
    pub(crate) admin: Extension,
    pub(crate) seeds: Vec<Run<u64>>,
    pub(crate) commands: Vec<OwnCommand>,
    pub(crate) checks: Vec<OwnCheck>,
}

impl Parts {
    /// The public API, to serve or to nest in another axum program.
    pub fn api(&self, app: &AppContext) -> Router {
        usher_api::router_with(usher_api::AppState::new(app), &self.api)
    }

    /// The staff admin.
    pub fn admin(&self, app: &AppContext) -> Router {
        usher_admin::router(self.admin_state(app))
    }

    pub(crate) fn admin_state(&self, app: &AppContext) -> usher_admin::AppState {
        usher_admin::AppState::with_extension(app, &self.admin)
    }

    /// Applies pending migrations and returns their number.
    pub async fn migrate(&self, db: &DatabaseConnection) -> anyhow::Result<usize> {
        migrate::up(db, &self.schema).await
    }

    /// Where the migrated schema is not what the entities of the apps expect, and which indexes the admin lacks, one
    /// sentence each.
    pub async fn schema_differences(&self, db: &DatabaseConnection) -> anyhow::Result<Vec<String>> {
        let mut found = schema_check::differences(db, &self.entities).await?;
        found.extend(usher_admin::lacking_indexes(db, &self.admin).await?);
        Ok(found)
    }

    /// Runs a command of the product with these arguments, as the command line would.
    ///
    /// # Errors
    /// If there is no such command, if it refuses the arguments, or if it fails.
    pub async fn run_command(&self, app: &AppContext, name: &str, arguments: &[&str]) -> anyhow::Result<()> {
        let own = self.commands.iter().find(|own| own.name == name);
        let own = own.with_context(|| format!("there is no command {name}"))?;
        let command = (own.arguments)(clap::Command::new(own.name));
        let words = std::iter::once(name).chain(arguments.iter().copied());
        (own.run)(command.try_get_matches_from(words)?, app.clone()).await
    }

    /// Those of Usher alone.
    pub(crate) fn usher() -> Self {
        Self {
            schema: Schema::default(),
            registry: usher_worker::registry(),
            entities: vec![],
            api: ApiExtension::default(),
            admin: Extension::new("usher"),
            seeds: vec![],
            commands: vec![],
            checks: vec![],
        }
    }
}
