//! What a product's `main` builds: its name, and the apps that make it.

use std::{collections::HashMap, process::ExitCode};

use anyhow::{Result, anyhow, bail};
use usher_migrations::{MigratorTraitSelf, Schema};
use usher_shared::{
    accounts::{self, api_keys::Scope, mail_tokens::LinkPurpose},
    events::{self, EventType},
    foundation::{
        config::{self, SettingsGroup},
        metrics, process,
        program::{AppSchema, BuiltIn, Program},
    },
};

use crate::{
    app::App,
    cli, doctor,
    parts::{Logo, Parts},
};

/// A product that is built on Usher: its name and its [`App`]s. Nothing of Usher is copied or edited for it.
///
/// ```no_run
/// use std::process::ExitCode;
///
/// use usher::{App, Project};
///
/// fn main() -> ExitCode {
///     Project::new("helpdesk").app(App::new("tickets")).run()
/// }
/// ```
#[must_use]
pub struct Project {
    name: &'static str,
    version: &'static str,
    about: &'static str,
    product_name: Option<&'static str>,
    logo: Option<Logo>,
    left_out: Vec<BuiltIn>,
    apps: Vec<App>,
}

impl Project {
    /// A product without apps, which is Usher under another name. `name` is the program's, as it is typed.
    pub fn new(name: &'static str) -> Self {
        let usher = Program::default();
        Self {
            name,
            version: usher.version,
            about: usher.about,
            product_name: None,
            logo: None,
            left_out: vec![],
            apps: vec![],
        }
    }

    /// What `--version` prints: usually `env!("CARGO_PKG_VERSION")`. Usher's own version if not set.
    pub fn version(mut self, version: &'static str) -> Self {
        self.version = version;
        self
    }

    /// What `--help` says the program is.
    pub fn about(mut self, about: &'static str) -> Self {
        self.about = about;
        self
    }

    /// The product's name in emails and on pages, unless `PRODUCT_NAME` gives another.
    pub fn product_name(mut self, name: &'static str) -> Self {
        self.product_name = Some(name);
        self
    }

    /// The product's logo, a square picture: in the admin's header, on its sign-in page and as the browser's icon.
    /// `content_type` is such as `image/svg+xml`.
    pub fn logo(mut self, content_type: &'static str, picture: &'static [u8]) -> Self {
        self.logo = Some((content_type, picture));
        self
    }

    /// Leaves out parts of Usher that the product doesn't offer. Their addresses are unknown, 404, and neither the
    /// API's document nor a page of the admin mentions them. An app may have operations at these addresses instead.
    ///
    /// ```
    /// use usher::{BuiltIn, Project};
    ///
    /// let project = Project::new("helpdesk").without([BuiltIn::SelfSignUp, BuiltIn::OAuthToken]);
    /// ```
    pub fn without(mut self, parts: impl IntoIterator<Item = BuiltIn>) -> Self {
        self.left_out.extend(parts);
        self
    }

    /// Adds an app. Their order is that of their migrations and of the navigation.
    pub fn app(mut self, app: App) -> Self {
        self.apps.push(app);
        self
    }

    /// Runs the command that the command line names; without one, all services in one process. An error becomes one
    /// line on standard error.
    #[must_use]
    pub fn run(self) -> ExitCode {
        let name = self.name;
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
        let main = async {
            let parts = self.assemble()?;
            cli::run(parts).await
        };
        match runtime {
            Ok(runtime) => runtime.block_on(process::run(name, main)),
            Err(error) => {
                crate::output::error(format_args!("{name}: cannot start: {error}"));
                ExitCode::FAILURE
            }
        }
    }

    /// Puts the apps together and tells the process what it runs.
    ///
    /// # Errors
    /// If two apps register the same thing, with both their names; if the process runs another project already.
    pub fn assemble(self) -> Result<Parts> {
        #[cfg(feature = "s3")]
        usher_shared::foundation::file_backend::choose_cryptography();
        self.refuse_duplicates()?;
        let mut program = Program {
            name: self.name,
            version: self.version,
            about: self.about,
            product_name: self.product_name.unwrap_or(Program::default().product_name),
            ..Program::default()
        };
        let has_apps = !self.apps.is_empty();
        let mut accounts = accounts::Extensions::default();
        let (mut event_types, mut settings, mut metrics) = (vec![], vec![], vec![]);
        let mut parts = Parts::usher();
        parts.look(self.product_name, self.logo);
        for part in self.left_out {
            parts.leave_out(part);
        }
        for mut app in self.apps {
            accounts.merge(std::mem::take(&mut app.accounts));
            event_types.append(&mut app.event_types);
            settings.append(&mut app.settings);
            metrics.append(&mut app.metrics);
            if let Some(newest) = app.migrations.last() {
                let (app, newest) = (app.name, newest.name());
                program.schemas.push(AppSchema { app, newest });
            }
            parts.add(app)?;
        }
        // What Usher brings fits together: its tests say so, and its start need not ask.
        if has_apps {
            parts.check(&accounts.scopes)?;
        }
        let scopes = || {
            Scope::BUILT_IN
                .iter()
                .chain(&accounts.scopes)
                .map(|scope| scope.as_str())
        };
        if let Some(kind) = event_types
            .iter()
            .find(|kind: &&EventType| !scopes().any(|scope| scope == kind.scope()))
        {
            bail!(
                "the event type {} has the scope {}, which no app registers",
                kind.as_str(),
                kind.scope()
            );
        }
        let name = program.name;
        if let Err(other) = program.set() {
            bail!("this process runs {other} already, and can't run {name} as well");
        }
        accounts::extend(accounts);
        events::add_event_types(event_types);
        config::add_settings(settings);
        metrics::add_metrics(metrics);
        Ok(parts)
    }

    fn refuse_duplicates(&self) -> Result<()> {
        let mut claims = Claims::of_usher()?;
        for app in &self.apps {
            claims.add_app(app)?;
        }
        claims.refuse_arguments_that_are_settings(&self.apps)
    }
}

fn setting_names() -> Vec<String> {
    let all = config::built_in_settings();
    let names = all.get_arguments().filter_map(clap::Arg::get_env);
    names.map(|name| name.to_string_lossy().into_owned()).collect()
}

fn migration_names(schema: &Schema) -> Vec<String> {
    let migrations = schema.migrations().into_iter();
    migrations.map(|migration| migration.name().to_owned()).collect()
}

/// Who has registered what.
#[derive(Default)]
struct Claims(HashMap<(&'static str, String), &'static str>);

impl Claims {
    /// What Usher itself has.
    fn of_usher() -> Result<Self> {
        let mut claims = Self::default();
        let scopes = Scope::BUILT_IN.map(|scope| scope.as_str().to_owned());
        let ids = config::built_in_settings();
        let ids = ids.get_arguments().map(|argument| argument.get_id().to_string());
        claims.add("app", "usher", ["usher".to_owned()])?;
        let purposes = LinkPurpose::BUILT_IN.map(|purpose| purpose.as_str().to_owned());
        claims.add("scope", "usher", scopes)?;
        claims.add("link purpose", "usher", purposes)?;
        claims.add(
            "event type",
            "usher",
            EventType::BUILT_IN.map(|kind| kind.as_str().to_owned()),
        )?;
        #[cfg(feature = "worker")]
        claims.add_jobs("usher", &usher_worker::registry())?;
        claims.add("setting", "usher", setting_names())?;
        claims.add("flag", "usher", ids)?;
        claims.add("command", "usher", cli::command_names())?;
        claims.add("migration", "usher", migration_names(&Schema::default()))?;
        claims.add("check", "usher", doctor::PARTS.map(str::to_owned))?;
        Ok(claims)
    }

    fn add_app(&mut self, app: &App) -> Result<()> {
        let name = app.name;
        let migrations = app.migrations.iter().map(|step| step.name().to_owned());
        let scopes = app.accounts.scopes.iter().map(|scope| scope.as_str().to_owned());
        let commands = app.commands.iter().map(|command| command.name.to_owned());
        self.add("app", name, [name.to_owned()])?;
        self.add("migration", name, migrations)?;
        let purposes = app.link_purposes.iter().map(|purpose| purpose.as_str().to_owned());
        self.add("scope", name, scopes)?;
        self.add("link purpose", name, purposes)?;
        let types = app.event_types.iter().map(|kind| kind.as_str().to_owned());
        self.add("event type", name, types)?;
        #[cfg(feature = "worker")]
        self.add_jobs(name, &app.registry)?;
        let imports = app.accounts.imports.iter().map(|import| import.permission.to_owned());
        self.add("import", name, imports)?;
        self.add("command", name, commands)?;
        self.add("check", name, app.checks.iter().map(|check| check.name.to_owned()))?;
        self.add(
            "metric",
            name,
            app.metrics.iter().map(|metric| metric.name().to_owned()),
        )?;
        if let Some(fault) = app.metrics.iter().find_map(|metric| metric.check().err()) {
            bail!("{name}: {fault}");
        }
        for group in &app.settings {
            group.check().map_err(|fault| anyhow!("{name}: {fault}"))?;
            self.add("setting", name, group.names())?;
            self.add("flag", name, group.ids())?;
        }
        Ok(())
    }

    #[cfg(feature = "worker")]
    fn add_jobs(&mut self, app: &'static str, registry: &usher_worker::Registry) -> Result<()> {
        let kinds = registry.kinds().chain(registry.repeated());
        self.add("job kind", app, kinds.map(str::to_owned))?;
        self.add("schedule", app, registry.schedule_names().map(str::to_owned))
    }

    /// Refuses an argument of a command that is a setting as well: each flag means one thing.
    fn refuse_arguments_that_are_settings(&self, apps: &[App]) -> Result<()> {
        let own = apps
            .iter()
            .flat_map(|app| app.settings.iter().flat_map(SettingsGroup::ids));
        let of_usher = cli::argument_ids();
        if let Some(id) = own.into_iter().find(|id| of_usher.contains(id)) {
            bail!("the setting {id} has the name of an argument of one of Usher's commands; give it another");
        }
        for command in apps.iter().flat_map(|app| &app.commands) {
            let arguments = (command.arguments)(clap::Command::new(command.name));
            let ids = arguments.get_arguments().map(|argument| argument.get_id().to_string());
            if let Some(id) = ids.into_iter().find(|id| self.0.contains_key(&("flag", id.clone()))) {
                bail!(
                    "the argument {id} of {} is a setting as well; give it another name",
                    command.name
                );
            }
        }
        Ok(())
    }

    /// Refuses what another app has, or this one has twice.
    fn add(&mut self, what: &'static str, app: &'static str, names: impl IntoIterator<Item = String>) -> Result<()> {
        for name in names {
            if let Some(other) = self.0.insert((what, name.clone()), app) {
                if other == app {
                    bail!("the app {app} registers the {what} {name} twice");
                }
                bail!("the apps {other} and {app} both register the {what} {name}");
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde::{Deserialize, Serialize};
    use usher_admin::models::Suppressions;
    use usher_migrations::SqlMigration;
    use usher_shared::{AppContext, foundation::metrics::Counter, jobs::Job};
    use usher_worker::{JobContext, JobError, Policy};

    use super::*;
    use crate::{Import, ImportFault, ImportRow, Imported};

    /// Puts books back.
    #[derive(Serialize, Deserialize)]
    struct Shelve {}

    impl Job for Shelve {
        const KIND: &'static str = "shelve";
    }

    const POLICY: Policy = Policy::DEFAULT;

    async fn shelve(_: Shelve, _: JobContext) -> Result<(), JobError> {
        Ok(())
    }

    async fn shelves(_: AppContext) -> String {
        "all are filled".to_owned()
    }

    #[derive(clap::Args)]
    struct Shelves {
        #[arg(long, env, default_value_t = 3)]
        shelf_count: u16,
    }

    #[derive(clap::Args)]
    struct WithoutVariable {
        #[arg(long, default_value_t = 3)]
        shelf_count: u16,
    }

    #[derive(clap::Args)]
    struct OfACommand {
        #[arg(long, env, default_value_t = 3)]
        concurrency: u16,
    }

    /// Imports addresses that get no mail.
    struct SuppressionImport;

    impl Import for SuppressionImport {
        type Model = Suppressions;
        const COLUMNS: &'static [&'static str] = &["address"];

        async fn apply(_: ImportRow<'_>) -> Result<Imported, ImportFault> {
            Ok(Imported::Unchanged)
        }
    }

    const READ: Scope = Scope::new("books:read", &["users.view"]);
    const STEP: SqlMigration = SqlMigration::new("m20260101_000001_books", "SELECT 1", "SELECT 1");

    const CONFIRM: LinkPurpose = LinkPurpose::new("confirm_loan", chrono::TimeDelta::days(3));

    fn refusal(apps: Vec<App>) -> String {
        let project = apps.into_iter().fold(Project::new("library"), Project::app);
        project.assemble().map(drop).unwrap_err().to_string()
    }

    #[test]
    fn what_two_apps_register_is_refused_with_both_names() {
        let pair = |add: fn(App) -> App| vec![add(App::new("books")), add(App::new("films"))];
        for (apps, expected) in [
            (
                vec![App::new("books"), App::new("books")],
                "the app books registers the app books twice",
            ),
            (
                pair(|app| app.scopes([READ])),
                "the apps books and films both register the scope books:read",
            ),
            (
                pair(|app| app.migrations(&[STEP])),
                "the apps books and films both register the migration m20260101_000001_books",
            ),
            (
                pair(|app| app.settings::<Shelves>()),
                "the apps books and films both register the setting SHELF_COUNT",
            ),
            (
                pair(|app| app.check("shelves", shelves)),
                "the apps books and films both register the check shelves",
            ),
            (
                vec![App::new("books").check("database", shelves)],
                "the apps usher and books both register the check database",
            ),
            (
                pair(|app| app.metric("shelves_filled", "Shelves filled", Counter::<u64>::default())),
                "the apps books and films both register the metric shelves_filled",
            ),
            (
                vec![
                    App::new("books")
                        .job::<Shelve>(POLICY, shelve)
                        .job::<Shelve>(POLICY, shelve),
                ],
                "the app books registers the job kind shelve twice",
            ),
            (
                pair(|app| app.import::<SuppressionImport>()),
                "the apps books and films both register the import suppressions.import",
            ),
            (
                pair(|app| app.tag("Shelves", "What is on them")),
                "books and films both have the tag Shelves",
            ),
            (
                pair(|app| app.link_purposes([CONFIRM])),
                "the apps books and films both register the link purpose confirm_loan",
            ),
            (
                vec![App::new("books").link_purposes([LinkPurpose::VERIFY_EMAIL])],
                "the apps usher and books both register the link purpose verify_email",
            ),
            (
                vec![App::new("books").scopes([Scope::new("users:read", &[])])],
                "the apps usher and books both register the scope users:read",
            ),
        ] {
            assert_eq!(refusal(apps), expected);
        }
    }

    #[test]
    fn what_cannot_work_is_refused_at_the_start() {
        let book = |add: fn(App) -> App| vec![add(App::new("books"))];
        for (apps, expected) in [
            (
                book(|app| app.scopes([Scope::new("books:read", &["books.veiw"])])),
                "the scope books:read takes the permission books.veiw, which no model or page has",
            ),
            (
                book(|app| app.settings::<WithoutVariable>()),
                "books: the setting shelf_count has no variable: write #[arg(long, env)]",
            ),
            (
                book(|app| app.settings::<OfACommand>()),
                "the setting concurrency has the name of an argument of one of Usher's commands; give it another",
            ),
            (
                book(|app| app.metric("usher_books", "Books", Counter::<u64>::default())),
                "books: the metric usher_books has a name of Usher's; begin it with the app's",
            ),
        ] {
            assert_eq!(refusal(apps), expected);
        }
    }
}
