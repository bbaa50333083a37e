//! A product put together: what its services and commands are made of.

use axum::Router;
use sea_orm::DatabaseConnection;
use usher_migrations::Schema;
use usher_shared::AppContext;
use usher_worker::Registry;

use crate::{
    app::{OwnCommand, Run},
    migrate,
};

/// A [`Project`](crate::Project) put together: the schema, and what each service serves.
pub struct Parts {
    /// Usher's migrations and those of every app.
    pub schema: Schema,
    /// Kinds of job with their handlers, and schedules.
    pub registry: Registry,
    pub(crate) api: crate::pending::api::Extension,
    pub(crate) admin: crate::pending::admin::Extension,
    pub(crate) seeds: Vec<Run<u64>>,
    pub(crate) commands: Vec<OwnCommand>,
}

impl Parts {
    /// The public API, to serve or to nest in another axum program.
    pub fn api(&self, app: &AppContext) -> Router {
        usher_api::router(usher_api::AppState::new(app))
    }

    /// The staff admin.
    pub fn admin(&self, app: &AppContext) -> Router {
        usher_admin::router(usher_admin::AppState::new(app))
    }

    /// Applies pending migrations and returns their number.
    pub async fn migrate(&self, db: &DatabaseConnection) -> anyhow::Result<usize> {
        migrate::up(db, &self.schema).await
    }

    /// Those of Usher alone.
    pub(crate) fn usher() -> Self {
        Self {
            schema: Schema::default(),
            registry: usher_worker::registry(),
            api: crate::pending::api::Extension::default(),
            admin: crate::pending::admin::Extension::default(),
            seeds: vec![],
            commands: vec![],
        }
    }
}
