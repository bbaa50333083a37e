//! A product put together: what its services and commands are made of.

use std::thread;

use anyhow::Context;
#[cfg(any(feature = "api", feature = "admin"))]
use axum::Router;
use sea_orm::DatabaseConnection;
#[cfg(feature = "admin")]
use usher_admin_engine::Extension;
#[cfg(feature = "api")]
use usher_api::ApiExtension;
use usher_migrations::{AppMigrations, Schema};
use usher_shared::{AppContext, accounts::api_keys::Scope, foundation::program::BuiltIn};
#[cfg(feature = "worker")]
use usher_worker::Registry;

use crate::{
    app::{App, OwnCommand, Run},
    doctor::OwnCheck,
    migrate,
    schema_check::{self, EntityTable},
};

/// The type and the bytes of a picture.
pub(crate) type Logo = (&'static str, &'static [u8]);

/// A [`Project`](crate::Project) put together: the schema, and what each service serves.
pub struct Parts {
    /// Usher's migrations and those of every app.
    pub schema: Schema,
    /// Kinds of job with their handlers, and schedules.
    #[cfg(feature = "worker")]
    pub registry: Registry,
    pub(crate) entities: Vec<EntityTable>,
    #[cfg(feature = "api")]
    pub(crate) api: ApiExtension,
    #[cfg(feature = "admin")]
    pub(crate) admin: Extension,
    pub(crate) seeds: Vec<Run<u64>>,
    pub(crate) commands: Vec<OwnCommand>,
    pub(crate) checks: Vec<OwnCheck>,
}

impl Parts {
    /// The public API, to serve or to nest in another axum program.
    #[cfg(feature = "api")]
    pub fn api(&self, app: &AppContext) -> Router {
        usher_api::router_with(usher_api::AppState::new(app), &self.api)
    }

    /// The staff admin.
    #[cfg(feature = "admin")]
    pub fn admin(&self, app: &AppContext) -> Router {
        usher_admin::router(self.admin_state(app))
    }

    #[cfg(feature = "admin")]
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
        let found = schema_check::differences(db, &self.entities).await?;
        #[cfg(feature = "admin")]
        let found = [found, usher_admin::lacking_indexes(db, &self.admin).await?].concat();
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

    /// Adds what an app brings.
    ///
    /// # Errors
    /// If a kind of job is there already.
    pub(crate) fn add(&mut self, app: App) -> anyhow::Result<()> {
        self.schema.0.push(AppMigrations {
            app: app.name,
            steps: app.migrations,
        });
        self.entities.extend(app.entities);
        self.seeds.extend(app.seeds);
        self.commands.extend(app.commands);
        self.checks.extend(app.checks);
        #[cfg(feature = "worker")]
        {
            let registry = std::mem::take(&mut self.registry).merge(app.registry);
            self.registry = registry.map_err(|twice| anyhow::anyhow!("{twice} is registered twice"))?;
        }
        #[cfg(feature = "api")]
        {
            self.api = std::mem::take(&mut self.api).merge(app.api);
        }
        #[cfg(feature = "admin")]
        {
            self.admin = self.admin.clone().merge(app.admin);
        }
        Ok(())
    }

    /// Gives the services the product's name and logo.
    pub(crate) fn look(&mut self, name: Option<&'static str>, logo: Option<Logo>) {
        #[cfg(feature = "api")]
        if let Some(name) = name {
            self.api = std::mem::take(&mut self.api).title(name);
        }
        #[cfg(feature = "admin")]
        if let Some((content_type, picture)) = logo {
            self.admin = self.admin.clone().logo(content_type, picture);
        }
        let _ = (name, logo); // without these services nobody needs them
    }

    /// Leaves out a part of Usher.
    pub(crate) fn leave_out(&mut self, part: BuiltIn) {
        #[cfg(feature = "api")]
        {
            self.api = std::mem::take(&mut self.api).without(part);
        }
        #[cfg(feature = "admin")]
        {
            self.admin = usher_admin::without(self.admin.clone(), part);
        }
        let _ = part;
    }

    /// Refuses what does not fit together. In a thread of its own, whose memory is given back when it ends: a process
    /// would keep the several MiB that the whole document and the whole admin take for a moment.
    pub(crate) fn check(&self, scopes: &[Scope]) -> anyhow::Result<()> {
        let checked = thread::scope(|scope| scope.spawn(|| self.fit_together(scopes)).join());
        checked.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }

    fn fit_together(&self, scopes: &[Scope]) -> anyhow::Result<()> {
        #[cfg(feature = "api")]
        self.api.check().map_err(anyhow::Error::msg)?;
        #[cfg(feature = "admin")]
        {
            usher_admin::check(&self.admin).map_err(anyhow::Error::msg)?;
            refuse_unknown_permissions(&self.admin, scopes)?;
        }
        let _ = scopes;
        Ok(())
    }

    /// Those of Usher alone.
    pub(crate) fn usher() -> Self {
        Self {
            schema: Schema::default(),
            #[cfg(feature = "worker")]
            registry: usher_worker::registry(),
            entities: vec![],
            #[cfg(feature = "api")]
            api: ApiExtension::default(),
            #[cfg(feature = "admin")]
            admin: Extension::new("usher"),
            seeds: vec![],
            commands: vec![],
            checks: vec![],
        }
    }
}

/// Only superusers could grant a scope whose permission no role can have.
#[cfg(feature = "admin")]
fn refuse_unknown_permissions(admin: &Extension, scopes: &[Scope]) -> anyhow::Result<()> {
    let known = usher_admin::permissions(admin).map_err(anyhow::Error::msg)?;
    for scope in scopes {
        let unknown = scope
            .permissions()
            .iter()
            .find(|one| !known.iter().any(|known| known == *one));
        if let Some(permission) = unknown {
            anyhow::bail!(
                "the scope {} takes the permission {permission}, which no model or page has",
                scope.as_str()
            );
        }
    }
    Ok(())
}
