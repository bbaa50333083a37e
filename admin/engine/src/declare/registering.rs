//! Makes a site of what apps register, and refuses what doesn't fit together.

use std::{collections::HashMap, sync::Arc};

use super::extension::{Extension, Registered};
use super::site::{Entry, Site};
use super::{model::Model, page::Page, spec::Kind};

/// First segments of addresses that are the engine's own.
const RESERVED: [&str; 2] = ["search", "assets"];
/// What follows a model's name in addresses that are the engine's own; a test compares them with its routes.
pub(crate) const OF_MODELS: [&str; 12] = [
    "",
    "/autocomplete",
    "/new",
    "/export.csv",
    "/export.json",
    "/columns",
    "/actions",
    "/{}",
    "/{}/delete",
    "/{}/restore",
    "/{}/export.json",
    "/{}/history",
];
/// Columns of an inline that names none.
const INLINE_COLUMNS: usize = 4;

impl Site {
    /// The admin of an extension, usually several that were merged. `base` is what its addresses begin with, such as
    /// `/admin`. An error is one line that names the apps: what is registered twice, or refers to nothing.
    pub fn new(base: &'static str, extension: &Extension) -> Result<Self, String> {
        let extension = &extension.clone().without_left_out_pages();
        let mut models = Vec::new();
        for Registered { app, item: erase } in &extension.models {
            models.push((*app, erase(base)));
        }
        refuse_twice(base, extension, &models)?;
        let mut models = with_relations(extension, models.into_iter().map(|(_, model)| model).collect())?;
        models.iter_mut().for_each(|model| extension.trim(model));
        refuse_dangling(&models)?;
        Ok(Self {
            base,
            models: models.into_iter().map(Arc::new).collect(),
            pages: items(&extension.pages),
            stylesheets: items(&extension.stylesheets),
            scripts: items(&extension.scripts),
            entries: entries(extension),
            cards: items(&extension.cards),
            live_path: extension.live_path,
            logo: extension.logos.first().map(|logo| logo.item.clone()),
        })
    }
}

fn items<T: Clone>(registered: &[Registered<T>]) -> Vec<T> {
    registered.iter().map(|each| each.item.clone()).collect()
}

fn entries(extension: &Extension) -> Vec<Entry> {
    let models = extension.models.iter().map(|model| model.app).enumerate();
    let pages = extension.pages.iter().map(|page| page.app).enumerate();
    let models = models.map(|(place, app)| (app, Entry::Model(place)));
    let mut entries: Vec<_> = models
        .chain(pages.map(|(place, app)| (app, Entry::Page(place))))
        .collect();
    entries.sort_by_key(|(app, _)| extension.apps.iter().position(|known| known == app));
    entries.into_iter().map(|(_, entry)| entry).collect()
}

/// What is registered so far: a kind of thing and its name, by app.
#[derive(Default)]
struct Taken(HashMap<(&'static str, String), &'static str>);

impl Taken {
    fn add(&mut self, what: &'static str, name: String, app: &'static str) -> Result<(), String> {
        match self.0.insert((what, name.clone()), app) {
            Some(other) => Err(format!("the {what} {name} is registered by both {other} and {app}")),
            None => Ok(()),
        }
    }
}

/// Refuses what two apps register: a name, an address, an object type or a logo.
fn refuse_twice(base: &'static str, extension: &Extension, models: &[(&'static str, Model)]) -> Result<(), String> {
    let mut taken = Taken::default();
    let reserved = extension.reserved.iter().map(|word| (word.app, word.item));
    for (app, word) in RESERVED.iter().map(|word| ("the engine", *word)).chain(reserved) {
        taken.add("address", format!("{base}/{word}"), app)?;
    }
    for (app, model) in models {
        let (name, word) = (model.meta.name, model.meta.object_type());
        for rest in OF_MODELS {
            taken.add("address", format!("{base}/{name}{rest}"), app)?;
        }
        taken.add("object type", word.to_owned(), app)?;
        if !is_word(word) {
            return Err(format!(
                "the model {name} of {app}: “{word}” is no word; declare Meta::object_type_of"
            ));
        }
    }
    for Registered { app, item: page } in &extension.pages {
        check_page(base, extension, app, page)?;
        taken.add("address", page.pattern(), app)?;
    }
    match &extension.logos[..] {
        [one, other, ..] => Err(format!("the logo is set by both {} and {}", one.app, other.app)),
        _ => Ok(()),
    }
}

fn is_word(text: &str) -> bool {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    !text.is_empty() && text.chars().all(fits)
}

fn check_page(base: &str, extension: &Extension, app: &str, page: &Page) -> Result<(), String> {
    let (path, permission) = (page.path, page.permission);
    let rest = path.strip_prefix(base).and_then(|rest| rest.strip_prefix('/'));
    let first = rest.and_then(|rest| rest.split('/').next()).unwrap_or_default();
    if first.is_empty() || first.starts_with('{') {
        return Err(format!(
            "the page {path} of {app}: its address must be {base}/ and a word"
        ));
    }
    if !permission
        .split_once('.')
        .is_some_and(|(name, word)| is_word(name) && is_word(word))
    {
        return Err(format!(
            "the page {path} of {app}: {permission} is no permission, such as tickets.view"
        ));
    }
    let owner = extension
        .reserved
        .iter()
        .find(|word| word.item == first && word.app != app);
    owner.map_or(Ok(()), |owner| {
        Err(format!(
            "the page {path} of {app}: {base}/{first} belongs to {}",
            owner.app
        ))
    })
}

/// The models with the inlines, panels, actions and links that were registered for them.
fn with_relations(extension: &Extension, mut models: Vec<Model>) -> Result<Vec<Model>, String> {
    for Registered { app, item } in &extension.inlines {
        parent(&mut models, app, item.0)?.inlines.push(item.1.clone());
    }
    for Registered { app, item } in &extension.panels {
        parent(&mut models, app, item.0)?.panels.push(item.1);
    }
    for Registered { app, item } in &extension.actions {
        let (parent, action) = (parent(&mut models, app, item.0)?, item.1);
        if parent.actions.iter().any(|known| known.name == action.name) {
            let permission = action.permission(parent);
            return Err(format!(
                "the action {permission} is there already, and registered by {app}"
            ));
        }
        parent.actions.push(action);
    }
    for Registered { app, item } in &extension.links {
        parent(&mut models, app, item.0)?.links.push(item.1);
    }
    name_columns(&mut models);
    Ok(models)
}

fn parent<'a>(models: &'a mut [Model], app: &str, name: &str) -> Result<&'a mut Model, String> {
    let found = models.iter_mut().find(|model| model.meta.name == name);
    found.ok_or_else(|| format!("{app} refers to the model {name}, which no app registers"))
}

/// Gives inlines without columns the first ones of their model's list.
fn name_columns(models: &mut [Model]) {
    let columns = models.iter().map(|model| {
        let columns = model.listed().filter(|spec| spec.is_read());
        (model.meta.name, columns.map(|spec| spec.name).collect())
    });
    let columns: HashMap<_, Vec<&'static str>> = columns.collect();
    let inlines = models.iter_mut().flat_map(|model| &mut model.inlines);
    for inline in inlines.filter(|inline| inline.shown.is_empty()) {
        let listed = columns.get(inline.model).into_iter().flatten();
        let others = listed.filter(|column| **column != inline.column);
        inline.shown = others.take(INLINE_COLUMNS).copied().collect();
    }
}

/// Refuses relations to models that nobody registers.
fn refuse_dangling(models: &[Model]) -> Result<(), String> {
    let is_known = |name: &str| models.iter().any(|model| model.meta.name == name);
    for model in models {
        let keys = model.fields.iter().filter_map(|spec| match spec.kind {
            Kind::ForeignKey(to) => Some(to),
            _ => None,
        });
        let others = model.many_to_many.iter().map(|across| across.model);
        let inlines = model.inlines.iter().map(|inline| inline.model);
        if let Some(to) = keys.chain(others).chain(inlines).find(|to| !is_known(to)) {
            let name = model.meta.name;
            return Err(format!(
                "the model {name} refers to the model {to}, which no app registers"
            ));
        }
    }
    Ok(())
}
