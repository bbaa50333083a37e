//! One domain of a product: everything that it adds to Usher.

use std::future::Future;

use clap::ArgMatches;
use futures::future::BoxFuture;
use sea_orm::EntityTrait;
#[cfg(feature = "admin")]
use usher_admin_engine::{AdminModel, Card, Column, Extension, Page};
#[cfg(feature = "api")]
use usher_api::{ApiExtension, AppState, Code, OpenApiRouter, Relation, utoipa::ToSchema};
use usher_migrations::SqlMigration;
#[cfg(feature = "worker")]
use usher_shared::jobs::{Job, Schedule};
use usher_shared::{
    AppContext,
    accounts::{self, api_keys::Scope, hooks::UserHooks, mail_tokens::LinkPurpose, user_data::UserData},
    events::EventType,
    foundation::{
        config::SettingsGroup,
        metrics::{Metric, OwnMetric},
    },
};
#[cfg(feature = "worker")]
use usher_worker::{Handler, Policy, Registry};

#[cfg(feature = "admin")]
use crate::{
    bulk::{self, Bulk},
    import::{self, Import},
};
use crate::{
    doctor::{Finding, OwnCheck},
    schema_check::EntityTable,
};

/// A function of a product that gets the application.
pub(crate) type Run<A, T = anyhow::Result<()>> = Box<dyn Fn(A, AppContext) -> BoxFuture<'static, T> + Send + Sync>;

/// A command of a product.
pub(crate) struct OwnCommand {
    pub(crate) name: &'static str,
    pub(crate) arguments: fn(clap::Command) -> clap::Command,
    pub(crate) run: Run<ArgMatches>,
}

/// One domain of a product, such as tickets: what it adds to the schema, the API, the admin, the worker and the command
/// line. A product registers it with [`Project::app`](crate::Project::app).
///
/// ```
/// use usher::{App, SqlMigration, api::Scope};
///
/// const READ: Scope = Scope::new("tickets:read", &["tickets.view"]);
/// const MIGRATIONS: &[SqlMigration] = &[SqlMigration::new(
///     "m20261201_000001_tickets",
///     "CREATE TABLE tickets (id {id}, subject text NOT NULL);",
///     "DROP TABLE tickets;",
/// )];
///
/// pub fn app() -> App {
///     App::new("tickets").migrations(MIGRATIONS).scopes([READ])
/// }
/// ```
#[must_use]
pub struct App {
    pub(crate) name: &'static str,
    pub(crate) migrations: Vec<SqlMigration>,
    pub(crate) entities: Vec<EntityTable>,
    pub(crate) accounts: accounts::Extensions,
    pub(crate) link_purposes: Vec<LinkPurpose>,
    pub(crate) event_types: Vec<EventType>,
    pub(crate) settings: Vec<SettingsGroup>,
    #[cfg(feature = "api")]
    pub(crate) api: ApiExtension,
    #[cfg(feature = "admin")]
    pub(crate) admin: Extension,
    #[cfg(feature = "worker")]
    pub(crate) registry: Registry,
    pub(crate) seeds: Vec<Run<u64>>,
    pub(crate) commands: Vec<OwnCommand>,
    pub(crate) checks: Vec<OwnCheck>,
    pub(crate) metrics: Vec<OwnMetric>,
}

impl App {
    /// An app that adds nothing yet. The name is in errors and in `migrate status`.
    pub fn new(name: &'static str) -> Self {
        Self {
            name,
            migrations: vec![],
            entities: vec![],
            accounts: accounts::Extensions::default(),
            link_purposes: vec![],
            event_types: vec![],
            settings: vec![],
            #[cfg(feature = "api")]
            api: ApiExtension::new(name),
            #[cfg(feature = "admin")]
            admin: Extension::new(name),
            #[cfg(feature = "worker")]
            registry: Registry::new(),
            seeds: vec![],
            commands: vec![],
            checks: vec![],
            metrics: vec![],
        }
    }

    /// Migrations, oldest first. They run after Usher's own and after those of the apps registered before.
    pub fn migrations(mut self, migrations: &[SqlMigration]) -> Self {
        self.migrations.extend(migrations);
        self
    }

    /// An entity of the app, which `migrate check` compares with the migrated schema. Those of admin models are
    /// compared as well.
    pub fn entity<E: EntityTrait>(mut self) -> Self {
        self.entities.push(EntityTable::of::<E>());
        self
    }

    /// Scopes that API keys can have.
    pub fn scopes(mut self, scopes: impl IntoIterator<Item = Scope>) -> Self {
        self.accounts.scopes.extend(scopes);
        self
    }

    /// What the app's mailed links are for. Words that another app or Usher has are refused.
    pub fn link_purposes(mut self, purposes: impl IntoIterator<Item = LinkPurpose>) -> Self {
        self.link_purposes.extend(purposes);
        self
    }

    /// The types of the app's events, which [`events::record`](crate::events::record) writes.
    pub fn events(mut self, types: impl IntoIterator<Item = EventType>) -> Self {
        self.event_types.extend(types);
        self
    }

    /// Hooks on accounts, which run in the transaction of what they follow.
    pub fn hooks(mut self, hooks: UserHooks) -> Self {
        self.accounts.hooks = std::mem::take(&mut self.accounts.hooks).and(hooks);
        self
    }

    /// What the app stores about people: what happens to it when an account is purged, and what goes into a person's
    /// export. `doctor` names tables that refer to users and are forgotten here.
    pub fn user_data(mut self, data: UserData) -> Self {
        self.accounts.user_data.push(data);
        self
    }

    /// Settings, as a struct that derives [`clap::Args`]: each field is an environment variable and a flag. Handlers
    /// read them with `config.own.get::<S>()`.
    pub fn settings<S: clap::Args + Send + Sync + 'static>(mut self) -> Self {
        self.settings.push(SettingsGroup::of::<S>());
        self
    }

    /// Adds rows for trying things out when `seed` runs, after its users. `seed` gets how many users were added.
    pub fn seed<F, R>(mut self, seed: F) -> Self
    where
        F: Fn(u64, AppContext) -> R + Send + Sync + 'static,
        R: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        self.seeds.push(boxed(seed));
        self
    }

    /// A command of the program. Its arguments are a struct that derives [`clap::Args`]; the struct's comment is what
    /// `--help` says.
    pub fn command<A, F, R>(mut self, name: &'static str, run: F) -> Self
    where
        A: clap::Args + Send + 'static,
        F: Fn(A, AppContext) -> R + Send + Sync + 'static,
        R: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        let run = move |matches: ArgMatches, context| {
            let started = A::from_arg_matches(&matches).map(|arguments| run(arguments, context));
            async { started?.await }
        };
        self.commands.push(OwnCommand {
            name,
            arguments: A::augment_args,
            run: boxed(run),
        });
        self
    }

    /// A check of `doctor`, which prints its finding after Usher's, under this name of one or two words. It runs if the
    /// database answers and its schema is up to date, and for 10 s at most. An error is a [`Finding::Wrong`].
    pub fn check<F, R, T>(mut self, name: &'static str, check: F) -> Self
    where
        F: Fn(AppContext) -> R + Send + Sync + 'static,
        R: Future<Output = T> + Send + 'static,
        T: Into<Finding>,
    {
        let run = move |(), app| {
            let found = check(app);
            async { found.await.into() }
        };
        let run = boxed(run);
        self.checks.push(OwnCheck { name, run });
        self
    }

    /// A metric at `/metrics` of each service that runs, with a sentence on what it counts. `name` begins with the
    /// app's; a counter's gets `_total` appended. Keep the metric in a static, and register a clone of it, which counts
    /// together with it.
    ///
    /// ```
    /// use std::sync::LazyLock;
    ///
    /// use usher::{App, metrics::Counter};
    ///
    /// static OPENED: LazyLock<Counter> = LazyLock::new(Counter::default);
    ///
    /// pub fn app() -> App {
    ///     App::new("tickets").metric("tickets_opened", "Tickets opened", OPENED.clone())
    /// }
    /// ```
    pub fn metric(mut self, name: &'static str, help: &'static str, metric: impl Metric + Clone) -> Self {
        self.metrics.push(OwnMetric::new(name, help, metric));
        self
    }
}

#[cfg(feature = "api")]
impl App {
    /// Operations of the public API. They appear in `/docs`.
    pub fn api(mut self, router: impl Fn() -> OpenApiRouter<AppState> + Send + Sync + 'static) -> Self {
        self.api = self.api.routes(router);
        self
    }

    /// A tag of operations, and what the API's document says of it.
    pub fn tag(mut self, name: &str, description: &str) -> Self {
        self.api = self.api.tag(name, description);
        self
    }

    /// A field that leads from one resource to another, in GraphQL.
    pub fn relation(mut self, relation: Relation) -> Self {
        self.api = self.api.relation(relation);
        self
    }

    /// Types of the app's events whose data is a `T`, such as what the API shows of the object: [`App::events`], and the
    /// API's documents know the schema of the data.
    pub fn events_of<T: ToSchema>(mut self, types: impl IntoIterator<Item = EventType>) -> Self {
        let types: Vec<_> = types.into_iter().collect();
        self.api = self.api.event_data::<T>(types.iter().copied());
        self.events(types)
    }

    /// Error codes of the API. They are explained at `/problems`.
    pub fn error_codes(mut self, codes: &[Code]) -> Self {
        self.api = self.api.codes(codes);
        self
    }
}

#[cfg(feature = "admin")]
impl App {
    /// A model in the admin. `migrate check` compares its entity with the schema.
    pub fn admin<M: AdminModel>(mut self) -> Self {
        self.admin = self.admin.model::<M>();
        self.entity::<M::Entity>()
    }

    /// Rows of `Child` beside the form of a `Parent`, which may be another app's: those whose `column` is its id.
    pub fn inline<Parent: AdminModel, Child: AdminModel>(mut self, column: Column<Child>) -> Self {
        self.admin = self.admin.inline::<Parent, Child>(column);
        self
    }

    /// An action on one, ticked, or all objects that match a filter of the admin's list.
    pub fn bulk<B: Bulk>(mut self) -> Self {
        self.admin = self.admin.action::<B::Model>(bulk::action::<B>());
        self.accounts.bulk_actions.push(bulk::extension::<B>());
        self
    }

    /// An import of a model from CSV files, with its pages in the admin.
    pub fn import<I: Import>(mut self) -> Self {
        let import = import::extension::<I>();
        self.admin = import::pages::<I>(self.admin, import);
        self.accounts.imports.push(import);
        self
    }

    /// A page in the admin.
    pub fn page(mut self, page: Page) -> Self {
        self.admin = self.admin.page(page);
        self
    }

    /// A card on the dashboard of the admin.
    pub fn card(mut self, card: Card) -> Self {
        self.admin = self.admin.card(card);
        self
    }

    /// Anything else that the admin can be given.
    pub fn extend_admin(mut self, extend: impl FnOnce(Extension) -> Extension) -> Self {
        self.admin = extend(self.admin);
        self
    }
}

#[cfg(feature = "worker")]
impl App {
    /// A kind of job, and the handler that runs it.
    pub fn job<J: Job>(mut self, policy: Policy, handler: impl Handler<J>) -> Self {
        self.registry = self.registry.register(policy, handler);
        self
    }

    /// Runs a job at the times of a cron pattern in UTC. Staff can change the times.
    pub fn schedule<J: Job>(mut self, name: &'static str, cron: &'static str, job: &J) -> Self {
        self.registry = self.registry.schedule(Schedule::new(name, cron, job));
        self
    }
}

fn boxed<A, F, R>(run: F) -> Run<A, R::Output>
where
    F: Fn(A, AppContext) -> R + Send + Sync + 'static,
    R: Future + Send + 'static,
{
    Box::new(move |argument, context| Box::pin(run(argument, context)))
}
