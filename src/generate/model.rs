//! `generate model`: table, entity, API, admin and tests of a kind of object, in an app of its own or an existing one.

mod admin;
mod api;
mod entity;
mod schema;
mod test;

use std::fs;

use anyhow::{Result, bail, ensure};

use super::{
    app,
    changes::{Changes, fill},
    fields::{Field, Kind},
    migration,
    names::Name,
    product::Product,
};
use crate::output;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// One object, such as ticket
    name: String,
    /// What it has, such as subject:string body:text due_at:datetime? state:enum(open,closed) requester:user
    #[arg(value_name = "FIELD:TYPE", required = true)]
    fields: Vec<String>,
    /// The app. The default is an app of its own, with the plural as its name
    #[arg(long)]
    app: Option<String>,
    /// Many objects, if the rules of English don't give it
    #[arg(long)]
    plural: Option<String>,
}

/// A model that is about to be generated.
struct Model {
    krate: String,
    app: String,
    name: Name,
    plural: Name,
    columns: Vec<Column>,
    /// What distinguishes the files of a second model in an app: `comment_` of `src/tickets/comment_api.rs`.
    prefix: String,
}

/// A field, and the model that it refers to.
struct Column {
    field: Field,
    target: Option<Target>,
}

/// A model of the product that a field refers to.
struct Target {
    app: String,
    module: String,
    table: String,
    /// Whether the tests of that model have a function that creates one.
    has_test: bool,
}

pub(super) fn run(args: &Args) -> Result<()> {
    let product = Product::find()?;
    let mut changes = Changes::within(&product.root);
    let model = Model::new(args, &product, &mut changes)?;
    model.write(&mut changes)?;
    changes.write()?;
    model.print_next();
    Ok(())
}

impl Model {
    fn new(args: &Args, product: &Product, changes: &mut Changes) -> Result<Self> {
        let name = Name::parse(&args.name)?;
        let plural = args.plural.as_deref().map_or_else(|| Ok(name.plural()), Name::parse)?;
        let app = args.app.as_deref().map_or_else(|| Ok(plural.clone()), Name::parse)?;
        match &args.app {
            Some(_) => product.require_app(app.snake())?,
            None if changes.exists(&app::path(app.snake())) => {
                bail!(
                    "there is an app {0} already; add the model to it with --app {0}",
                    app.snake()
                )
            }
            None => app::add(changes, &app)?,
        }
        ensure!(
            name != plural,
            "the plural of {name:?} is the same word; name it with --plural",
            name = name.snake()
        );
        let fields = Field::parse_all(&args.fields)?;
        let same = fields.iter().find(|field| field.column() == name.snake());
        ensure!(
            same.is_none(),
            "the field {0} can't have the name of the model; call it something else",
            name.snake()
        );
        let columns = fields
            .into_iter()
            .map(|field| Column::of(field, product))
            .collect::<Result<_>>()?;
        let has_api = changes.exists(&format!("src/{}/api.rs", app.snake()));
        Ok(Self {
            krate: product.krate.clone(),
            app: app.snake().to_owned(),
            prefix: if has_api {
                format!("{}_", name.snake())
            } else {
                String::new()
            },
            name,
            plural,
            columns,
        })
    }

    fn write(&self, changes: &mut Changes) -> Result<()> {
        for krate in ["axum", "chrono", "sea-orm", "serde", "utoipa"] {
            changes.depend("dependencies", krate)?;
        }
        changes.depend("dev-dependencies", "serde_json")?;
        let sql = migration::Sql {
            up: &schema::up(self),
            down: &format!("DROP TABLE {};", self.plural.snake()),
        };
        migration::add(changes, &self.app, &self.plural, &sql)?;
        changes.create(self.path(self.name.snake()), entity::file(self))?;
        changes.create(self.path(&format!("{}api", self.prefix)), api::file(self))?;
        changes.create(self.path(&format!("{}admin", self.prefix)), admin::file(self))?;
        changes.create(format!("tests/it/{}.rs", self.plural.snake()), test::file(self)?)?;
        app::declare_module(changes, "tests/it/main.rs", "mod", self.plural.snake())?;
        self.register(changes)
    }

    fn register(&self, changes: &mut Changes) -> Result<()> {
        let (path, name, prefix) = (app::path(&self.app), self.name.snake(), &self.prefix);
        app::declare_module(changes, &path, "mod", &format!("{prefix}admin"))?;
        app::declare_module(changes, &path, "pub mod", &format!("{prefix}api"))?;
        app::declare_module(changes, &path, "pub mod", name)?;
        let mut calls = vec![
            (".scopes(", format!(".scopes([{prefix}api::READ, {prefix}api::WRITE])")),
            (".api(", format!(".api({prefix}api::router)")),
            (".admin::<", format!(".admin::<{name}::Entity>()")),
        ];
        calls.extend(self.inlines().map(|call| (".inline::<", call)));
        if let Some(data) = self.user_data() {
            calls.push((".user_data(", data));
            app::import(changes, &path, "accounts::user_data::UserData")?;
            app::import(changes, &path, "admin::models::Users")?;
        }
        for (kind, call) in calls {
            changes.edit(&path, &call, |code| {
                app::with_call(code, "fn app() -> App", kind, &call)
            })?;
        }
        Ok(())
    }

    /// Its rows beside the objects that they refer to.
    fn inlines(&self) -> impl Iterator<Item = String> {
        let references = self.columns.iter().filter(|column| column.field.kind.is_reference());
        references.map(|column| {
            let (parent, child) = (column.parent(), self.name.snake());
            format!(
                ".inline::<{parent}, {child}::Entity>({child}::Column::{})",
                column.variant()
            )
        })
    }

    /// What becomes of the rows when a person is removed for good.
    fn user_data(&self) -> Option<String> {
        let users = self.columns.iter().filter(|column| column.field.kind == Kind::User);
        let rules: Vec<_> = users
            .map(|column| {
                let rule = if column.field.optional { "anonymize" } else { "delete" };
                format!(".{rule}({}::Column::{})", self.name.snake(), column.variant())
            })
            .collect();
        let plural = self.plural.snake();
        (!rules.is_empty()).then(|| format!(".user_data(UserData::of(\"{plural}\"){})", rules.concat()))
    }

    fn path(&self, file: &str) -> String {
        format!("src/{}/{file}.rs", self.app)
    }

    /// The placeholders that all templates share.
    fn fill(&self, template: &str, more: &[(&str, &str)]) -> String {
        let values = [
            ("crate", self.krate.as_str()),
            ("app", &self.app),
            ("prefix", &self.prefix),
            ("name", self.name.snake()),
            ("Name", &self.name.pascal()),
            ("words", &self.name.words()),
            ("a_words", &self.name.with_article()),
            ("A_words", &capital(&self.name.with_article())),
            ("a_name", &self.name.with_article().replace(' ', "_")),
            ("plural", self.plural.snake()),
            ("path", &self.path_in_api()),
            ("Plural", &self.plural.pascal()),
            ("plural_words", &self.plural.words()),
            ("Plural_words", &self.plural.sentence()),
        ];
        fill(&fill(template, more), &values)
    }

    fn print_next(&self) {
        let (path, name) = (self.path_in_api(), self.plural.snake());
        output::line(format_args!(
            "\nNext:\n  ./test {name}\n  cargo run    # the API has {path}, the admin /admin/{name}\n\n\
             Existing API keys don't have the new scopes. Create one that does:\n  \
             cargo run -- key create --name test --scopes {name}:read,{name}:write"
        ));
    }

    /// `/support-tickets`
    fn path_in_api(&self) -> String {
        format!("/{}", self.plural.snake().replace('_', "-"))
    }

    fn columns(&self, line: impl Fn(&Column) -> String) -> String {
        self.columns.iter().map(line).collect()
    }
}

impl Column {
    fn of(field: Field, product: &Product) -> Result<Self> {
        let target = match &field.kind {
            Kind::Model(name) => Some(Target::find(name, &field, product)?),
            _ => None,
        };
        Ok(Self { field, target })
    }

    /// The column, and the field of the entity.
    fn name(&self) -> String {
        self.field.column()
    }

    /// What it refers to, such as `user`; empty if it doesn't.
    fn noun(&self) -> String {
        match &self.field.kind {
            Kind::User => "user".to_owned(),
            Kind::Model(name) => name.words(),
            _ => String::new(),
        }
    }

    /// The admin model that it refers to.
    fn parent(&self) -> String {
        let target = self.target.as_ref();
        target.map_or_else(
            || "Users".to_owned(),
            |target| format!("crate::{}::{}::Entity", target.app, target.module),
        )
    }

    /// The column's variant in SeaORM's enum: `DueAt`.
    fn variant(&self) -> String {
        let words = self.name();
        let words = words.split('_').map(capital);
        words.collect()
    }
}

impl Target {
    /// Looks for the entity in the files of all apps.
    fn find(name: &Name, field: &Field, product: &Product) -> Result<Self> {
        for app in product.apps() {
            let path = product.root.join("src").join(&app).join(format!("{}.rs", name.snake()));
            let Ok(code) = fs::read_to_string(path) else { continue };
            let table = code
                .split("table_name = \"")
                .nth(1)
                .and_then(|rest| rest.split('"').next());
            if let Some(table) = table {
                let test = fs::read_to_string(product.root.join(format!("tests/it/{table}.rs"))).unwrap_or_default();
                return Ok(Self {
                    app,
                    module: name.snake().to_owned(),
                    table: table.to_owned(),
                    has_test: test.contains(&format!("pub async fn {}(", name.snake())),
                });
            }
        }
        bail!(
            "{}:{}: there is neither a type nor a model {}; {}",
            field.name.snake(),
            name.snake(),
            name.snake(),
            super::fields::TYPES
        )
    }
}

fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters
        .next()
        .map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
