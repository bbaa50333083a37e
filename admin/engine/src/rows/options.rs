//! Many-to-many relations in a form: the objects to choose from, what is chosen, and storing it with the row.

use std::collections::{BTreeMap, BTreeSet};

use sea_orm::{
    ConnectionTrait, DbErr, Value,
    sea_query::{Expr, ExprTrait, Order, Query, SelectStatement, UnionType},
};

use crate::declare::checklist::{CheckOption, wanted};
use crate::declare::spec::{Kind, Spec};
use crate::declare::{many_to_many::ManyToMany, model::Model, site::Site};
use crate::request::{sent::Fields, staff::Staff};
use crate::rows::related::{kept, name, title};
use crate::rows::related_change::RelatedChange;
use crate::rows::storage::{Storage, text_of};

/// The most ids that a form can name; others count as unknown.
const MOST_SENT: usize = 1_000;
/// With more objects than this, a form offers those that are chosen, and a field to add others.
const OFFERED: u64 = 50;
/// The most related objects that a form shows; what it doesn't show stays as it is.
const SHOWN: u64 = 200;

/// The options of one relation, as a form offers them.
#[derive(Debug, Default)]
pub(crate) struct Options {
    pub(crate) options: Vec<CheckOption>,
    /// The ids of the related objects among them.
    pub(crate) stored: BTreeSet<String>,
    /// Whether there are more objects to choose from.
    pub(crate) picks: bool,
    /// Whether more objects are related than are shown.
    pub(crate) more: bool,
    /// Typed ids that no object has.
    pub(crate) unknown: Vec<String>,
}

impl Options {
    /// Reads them for the object with this id, or for a new one; `picked` are ids that were typed. One statement, which
    /// reads no more than it offers.
    async fn read(
        db: &impl ConnectionTrait,
        across: &ManyToMany,
        to: &Model,
        own: Option<&Value>,
        picked: &BTreeSet<String>,
    ) -> Result<Self, DbErr> {
        let picked = picked.iter().filter_map(|id| across.parse(id));
        let picked: Vec<_> = picked.take(MOST_SENT).collect();
        let mut found = Self::default();
        let (mut typed, mut others) = (BTreeSet::new(), 0);
        for result in db.query_all(&offered(across, to, own, &picked)).await? {
            let value = to.id_field().storage.read(&result, "id")?;
            let Some(id) = text_of(&value) else { continue };
            if result.try_get::<bool>("", "stored")? {
                found.stored.insert(id.clone());
            } else if picked.contains(&value) {
                typed.insert(id.clone());
            } else {
                others += 1;
            }
            found.options.push(CheckOption {
                label: name(to, &result)?,
                checked: found.stored.contains(&id),
                value: id,
                ..CheckOption::default()
            });
        }
        let all = (found.stored.len() + typed.len() + others) as u64;
        found.picks = all > OFFERED;
        found.more = found.stored.len() as u64 > SHOWN;
        if found.picks {
            let stored = &found.stored;
            found
                .options
                .retain(|option| stored.contains(&option.value) || typed.contains(&option.value));
        }
        Ok(found)
    }

    /// The ids that a form asks for, given those that it names.
    fn wanted(&self, to: &Model, sent: &BTreeSet<String>) -> Result<BTreeSet<String>, String> {
        let is_unknown = |id: &&String| self.options.iter().all(|option| option.value != **id);
        match sent.iter().find(is_unknown) {
            Some(id) => {
                let shown: String = id.chars().take(60).collect();
                Err(format!("No {} has the ID {shown}", to.meta.singular))
            }
            None => wanted(self.options.iter(), sent, &self.stored, |_| true),
        }
    }

    fn label(&self, id: &str) -> String {
        let option = self.options.iter().find(|option| option.value == id);
        option.map_or_else(|| id.to_owned(), |option| option.label.clone())
    }

    /// The names of the related objects.
    pub(crate) fn names(&self) -> String {
        self.joined(|option| self.stored.contains(&option.value))
    }

    /// The names of those that are checked.
    pub(crate) fn checked(&self) -> String {
        self.joined(|option| option.checked)
    }

    fn joined(&self, which: impl Fn(&CheckOption) -> bool) -> String {
        let some = self.options.iter().filter(|option| which(option));
        some.map(|option| option.label.as_str()).collect::<Vec<_>>().join(", ")
    }

    /// The difference to what a form asks for.
    fn change(&self, spec: &Spec, across: &ManyToMany, wanted: &BTreeSet<String>) -> Option<RelatedChange> {
        let pairs = |ids: BTreeSet<&String>| -> Vec<_> {
            let pair = |id: &&String| Some((across.parse(id)?, self.label(id)));
            ids.iter().filter_map(pair).collect()
        };
        let change = RelatedChange {
            name: spec.name,
            across: across.clone(),
            added: pairs(wanted.difference(&self.stored).collect()),
            removed: pairs(self.stored.difference(wanted).collect()),
        };
        (!change.added.is_empty() || !change.removed.is_empty()).then_some(change)
    }
}

/// The related objects, the typed ones, and the first ones of all.
fn offered(across: &ManyToMany, to: &Model, own: Option<&Value>, picked: &[Value]) -> SelectStatement {
    let related = |own: &Value| {
        Query::select()
            .expr_as(Expr::col(across.other), "id")
            .from(across.table)
            .and_where(Expr::col(across.own).eq(own.clone()))
            .to_owned()
    };
    let all = || {
        Query::select()
            .expr_as(Expr::col((to.table, to.id)), "id")
            .from(to.table)
            .cond_where(kept(to))
            .to_owned()
    };
    let first = all()
        .order_by((to.table, to.id), Order::Asc)
        .limit(OFFERED + 1)
        .to_owned();
    let mut ids = whole(first);
    if let Some(own) = own {
        let shown = related(own)
            .order_by(across.other, Order::Asc)
            .limit(SHOWN + 1)
            .to_owned();
        ids.union(UnionType::Distinct, whole(shown));
    }
    if !picked.is_empty() {
        let typed = all()
            .and_where(Expr::col((to.table, to.id)).is_in(picked.to_vec()))
            .to_owned();
        ids.union(UnionType::Distinct, whole(typed));
    }
    let stored = match own {
        Some(own) => {
            let same = Expr::col((across.table, across.other)).equals((to.table, to.id));
            Expr::exists(related(own).and_where(same).to_owned())
        }
        None => Expr::cust("FALSE"),
    };
    Query::select()
        .expr_as(Expr::col((to.table, to.id)), "id")
        .expr_as(title(to), "title")
        .expr_as(stored, "stored")
        .from(to.table)
        .cond_where(kept(to))
        .and_where(Expr::col((to.table, to.id)).in_subquery(ids))
        .order_by("title", Order::Asc)
        .to_owned()
}

/// As a part of a union that has its own limit.
fn whole(part: SelectStatement) -> SelectStatement {
    Query::select().column("id").from_subquery(part, "part").to_owned()
}

/// The options of each relation of a form, by its field's name.
pub(crate) type AllOptions = BTreeMap<&'static str, Options>;

/// Reads the options of every relation that the form shows this person, for the object with this id, or for a new one.
/// With `sent`, what was checked and typed is kept.
pub(crate) async fn all_options(
    db: &impl ConnectionTrait,
    site: &Site,
    staff: &Staff,
    model: &Model,
    own: Option<&Value>,
    sent: Option<&Fields>,
) -> Result<AllOptions, DbErr> {
    let mut all = AllOptions::new();
    for (spec, across, to) in relations(site, staff, model) {
        let sent = sent.and_then(|fields| ids(spec, across, fields));
        let mut options = Options::read(db, across, to, own, sent.as_ref().unwrap_or(&BTreeSet::new())).await?;
        if let Some(sent) = sent {
            for option in &mut options.options {
                option.checked = sent.contains(&option.value);
            }
            let is_unknown = |id: &&String| options.options.iter().all(|option| option.value != **id);
            options.unknown = sent.into_iter().filter(|id| is_unknown(&id)).collect();
        }
        all.insert(spec.name, options);
    }
    Ok(all)
}

/// What a form changes of the relations of an object, or the errors by the name of their field.
pub(crate) async fn changes(
    tx: &impl ConnectionTrait,
    site: &Site,
    staff: &Staff,
    model: &Model,
    own: Option<&Value>,
    form: &Fields,
) -> Result<Result<Vec<RelatedChange>, (&'static str, String)>, DbErr> {
    let mut changes = vec![];
    for (spec, across, to) in relations(site, staff, model) {
        let sent = ids(spec, across, form).filter(|_| spec.is_asked(own.is_none()));
        let Some(sent) = sent else { continue };
        let options = Options::read(tx, across, to, own, &sent).await?;
        match options.wanted(to, &sent) {
            Ok(wanted) => changes.extend(options.change(spec, across, &wanted)),
            Err(words) => return Ok(Err((spec.name, words))),
        }
    }
    Ok(Ok(changes))
}

/// The relations of the form that this person sees, with the models of their other sides.
fn relations<'a>(
    site: &'a Site,
    staff: &Staff,
    model: &'a Model,
) -> impl Iterator<Item = (&'a Spec, &'a ManyToMany, &'a Model)> {
    let asked = model.fields.iter().filter(|spec| spec.in_form);
    asked.filter_map(|spec| match &spec.kind {
        Kind::ManyToMany(across) => Some((spec, across.as_ref(), site.visible(across.model, staff)?.as_ref())),
        _ => None,
    })
}

/// The ids that a form names; `None` if it doesn't have the field. Several in one field are separated by commas or
/// spaces.
fn ids(spec: &Spec, across: &ManyToMany, form: &Fields) -> Option<BTreeSet<String>> {
    form.get(spec.name)?;
    let separators: &[char] = match across.storage {
        Storage::Text => &[],
        _ => &[',', ' '],
    };
    let typed = form.all(spec.name).flat_map(|value| value.split(separators));
    let typed = typed.map(str::trim).filter(|id| !id.is_empty());
    let id = |id: &str| {
        across
            .parse(id)
            .as_ref()
            .and_then(text_of)
            .unwrap_or_else(|| id.to_owned())
    };
    Some(typed.map(id).collect())
}
