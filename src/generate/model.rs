//! `generate model`: table, entity, API, admin and tests of a kind of object, in an app of its own or an existing one.

mod admin;
mod api;
mod entity;
mod schema;
mod shape;
mod test;

use anyhow::{Result, bail};

use super::{
    app,
    changes::Changes,
    fields::{Field, Kind},
    migration,
    names::Name,
    product::Product,
    taken,
};
use crate::output;
use shape::Model;

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

pub(super) fn run(args: &Args) -> Result<()> {
    let product = Product::find()?;
    let mut changes = Changes::within(&product.root);
    let model = model_of(args, &product, &changes)?;
    if args.app.is_none() {
        app::add(&mut changes, &Name::parse(&model.app)?)?;
    }
    write(&model, &mut changes)?;
    changes.write()?;
    print_next(&model);
    Ok(())
}

fn model_of(args: &Args, product: &Product, changes: &Changes) -> Result<Model> {
    let name = Name::parse(&args.name)?;
    let plural = args.plural.as_deref().map_or_else(|| Ok(name.plural()), Name::parse)?;
    taken::check_model(&name, &plural)?;
    let app = args.app.as_deref().map_or_else(|| Ok(plural.clone()), Name::parse)?;
    match &args.app {
        Some(_) => product.require_app(app.snake())?,
        None if changes.exists(&app::path(app.snake())) => {
            bail!(
                "there is an app {0} already; add the model to it with --app {0}",
                app.snake()
            )
        }
        None => {}
    }
    let has_api = changes.exists(&format!("src/{}/api.rs", app.snake()));
    let fields = Field::parse_all(&args.fields)?;
    let model = Model::new(product, app, name, plural, fields, has_api)?;
    model.check_enums()?;
    Ok(model)
}

fn write(model: &Model, changes: &mut Changes) -> Result<()> {
    for krate in ["axum", "chrono", "sea-orm", "serde", "utoipa"] {
        changes.depend("dependencies", krate)?;
    }
    changes.depend("dev-dependencies", "serde_json")?;
    let sql = migration::Sql {
        up: &schema::up(model),
        down: &format!("DROP TABLE {};", model.plural.snake()),
    };
    migration::add(changes, &model.app, &model.plural, &sql)?;
    changes.create(model.path(model.name.snake()), entity::file(model))?;
    changes.create(model.path(&format!("{}api", model.prefix)), api::file(model))?;
    changes.create(model.path(&format!("{}admin", model.prefix)), admin::file(model))?;
    changes.create(format!("tests/it/{}.rs", model.plural.snake()), test::file(model)?)?;
    app::declare_module(changes, "tests/it/main.rs", "mod", model.plural.snake())?;
    register(model, changes)
}

fn register(model: &Model, changes: &mut Changes) -> Result<()> {
    let (path, name, prefix) = (app::path(&model.app), model.name.snake(), &model.prefix);
    app::declare_module(changes, &path, "mod", &format!("{prefix}admin"))?;
    app::declare_module(changes, &path, "pub mod", &format!("{prefix}api"))?;
    app::declare_module(changes, &path, "pub mod", name)?;
    let mut calls = vec![
        (".scopes(", format!(".scopes([{prefix}api::READ, {prefix}api::WRITE])")),
        (".api(", format!(".api({prefix}api::router)")),
        (".admin::<", format!(".admin::<{name}::Entity>()")),
    ];
    calls.extend(inlines(model).map(|call| (".inline::<", call)));
    if let Some(data) = user_data(model) {
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
fn inlines(model: &Model) -> impl Iterator<Item = String> {
    let references = model.columns.iter().filter(|column| column.field.kind.is_reference());
    let of_app = format!("crate::{}::", model.app);
    references.map(move |column| {
        let (parent, child) = (column.parent(), model.name.snake());
        let parent = parent.strip_prefix(&of_app).unwrap_or(&parent);
        format!(
            ".inline::<{parent}, {child}::Entity>({child}::Column::{})",
            column.variant()
        )
    })
}

/// What becomes of the rows when a person is removed for good.
fn user_data(model: &Model) -> Option<String> {
    let users = model.columns.iter().filter(|column| column.field.kind == Kind::User);
    let rules: Vec<_> = users
        .map(|column| {
            let rule = if column.field.optional { "anonymize" } else { "delete" };
            format!(".{rule}({}::Column::{})", model.name.snake(), column.variant())
        })
        .collect();
    let plural = model.plural.snake();
    (!rules.is_empty()).then(|| format!(".user_data(UserData::of(\"{plural}\"){})", rules.concat()))
}

fn print_next(model: &Model) {
    let (path, name) = (model.path_in_api(), model.plural.snake());
    output::line(format_args!(
        "\nNext:\n  ./test {name}\n  cargo run    # the API has {path}, the admin /admin/{name}\n\n\
         Existing API keys don't have the new scopes. Create one that does:\n  \
         cargo run -- key create --name test --scopes {name}:read,{name}:write"
    ));
}

#[cfg(test)]
mod tests {
    const API: &str = include_str!("templates/model/api.rs.template");
    const ADMIN: &str = include_str!("templates/model/admin.rs.template");

    /// A product with a scope whose permissions no model declares doesn't start.
    #[test]
    fn scopes_name_permissions_that_the_admin_model_has() {
        let has = |call: &str| ADMIN.contains(call);
        for (word, is_declared) in [
            ("view", true),
            ("add", has(".editable()")),
            ("change", has(".editable()")),
            ("delete", has(".deletable()")),
        ] {
            assert_eq!(
                API.contains(&format!("\"{{{{plural}}}}.{word}\"")),
                is_declared,
                "{word}"
            );
        }
    }
}
