//! Migrations of a product's apps, which follow Usher's own in the same database.

use sea_orm_migration::{MigratorTrait, MigratorTraitSelf, prelude::*};

use crate::{Migrator, dialect};

/// One step of an app's schema, in SQL for PostgreSQL and SQLite.
///
/// The types whose names differ are placeholders: `{id}` for a generated primary key, `{time}`, `{uuid}`, `{bytes}`,
/// `{json}`, and `{bytewise}` for a collation by bytes.
///
/// ```
/// use usher_migrations::SqlMigration;
///
/// const MIGRATIONS: &[SqlMigration] = &[SqlMigration::new(
///     "m20261201_000001_tickets",
///     "CREATE TABLE tickets (id {id}, subject text NOT NULL, created_at {time} NOT NULL);",
///     "DROP TABLE tickets;",
/// )];
/// ```
///
/// A step that was applied anywhere never changes: add another one.
#[derive(Clone, Copy, Debug)]
pub struct SqlMigration {
    name: &'static str,
    up: Sql,
    down: Sql,
}

/// SQL for PostgreSQL and for SQLite.
#[derive(Clone, Copy, Debug)]
struct Sql([&'static str; 2]);

impl SqlMigration {
    /// `name` is unique in the product and sorts by time, such as `m20261201_000001_tickets`. `down` undoes `up`.
    #[must_use]
    pub const fn new(name: &'static str, up: &'static str, down: &'static str) -> Self {
        Self::either(name, [up, up], [down, down])
    }

    /// The same where PostgreSQL, first, and SQLite have no SQL in common.
    #[must_use]
    pub const fn either(name: &'static str, up: [&'static str; 2], down: [&'static str; 2]) -> Self {
        Self {
            name,
            up: Sql(up),
            down: Sql(down),
        }
    }

    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }
}

impl Sql {
    /// A step without a statement was generated and not written yet: once applied, it would never run.
    async fn run(&self, manager: &SchemaManager<'_>) -> Result<(), DbErr> {
        let Self([postgres, sqlite]) = self;
        if is_empty(postgres) && is_empty(sqlite) {
            return Err(DbErr::Custom("it has no statement yet: write its SQL".to_owned()));
        }
        dialect::run_either(manager, postgres, sqlite).await
    }
}

/// Whether it consists of comments.
fn is_empty(sql: &str) -> bool {
    sql.lines()
        .map(str::trim)
        .all(|line| line.is_empty() || line.starts_with("--"))
}

impl MigrationName for SqlMigration {
    fn name(&self) -> &str {
        self.name
    }
}

#[async_trait::async_trait]
impl MigrationTrait for SqlMigration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        self.up.run(manager).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        self.down.run(manager).await
    }
}

/// The migrations of one app, oldest first.
#[derive(Clone, Debug)]
pub struct AppMigrations {
    pub app: &'static str,
    pub steps: Vec<SqlMigration>,
}

/// The whole schema of a program: Usher's migrations, then those of each app in the order of registration, so that an
/// app may refer to tables of Usher and of the apps before it.
#[derive(Clone, Debug, Default)]
pub struct Schema(pub Vec<AppMigrations>);

impl Schema {
    /// The app that a migration belongs to; none if the program doesn't know it.
    #[must_use]
    pub fn app_of(&self, migration: &str) -> Option<&'static str> {
        let of_app = |app: &&AppMigrations| app.steps.iter().any(|step| step.name == migration);
        let is_own = || {
            <Migrator as MigratorTrait>::migrations()
                .iter()
                .any(|step| step.name() == migration)
        };
        let found = self.0.iter().find(of_app).map(|app| app.app);
        found.or_else(|| is_own().then_some("usher"))
    }
}

impl MigratorTraitSelf for Schema {
    fn migrations(&self) -> Vec<Box<dyn MigrationTrait>> {
        let apps = self.0.iter().flat_map(|app| app.steps.iter().copied());
        let apps = apps.map(|step| Box::new(step) as Box<dyn MigrationTrait>);
        <Migrator as MigratorTrait>::migrations()
            .into_iter()
            .chain(apps)
            .collect()
    }
}
