//! What somebody had seen of the objects that they act on: carried by the form, so that an act upon what has changed since
//! is not done before they have seen that, too.

use std::collections::BTreeMap;

use sea_orm::DbErr;
use serde::{Deserialize, Serialize};

use crate::context::AdminContext;
use crate::declare::{action::Action, checklist::TickOption, model::Model, params::Ask, spec::Kind};
use crate::request::{sent::Fields, staff::Staff};
use crate::rows::cell::{Cell, Names};
use crate::rows::{draft::shown, row::Row};

/// The field that carries it.
pub(crate) const SEEN: &str = "_seen";

/// As the form holds it. Whoever writes their own only deceives themselves.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Seen {
    /// The row version of each object, by its id.
    versions: BTreeMap<String, String>,
    /// What the fields held, where there is one object.
    #[serde(default)]
    fields: BTreeMap<String, String>,
    /// What each question offered, and whether it was ticked.
    #[serde(default)]
    asked: BTreeMap<String, BTreeMap<String, bool>>,
}

/// One thing that is not as it was seen.
pub(crate) struct Change {
    pub(crate) label: String,
    pub(crate) seen: String,
    pub(crate) stored: String,
}

impl Seen {
    /// What a page shows of these rows, and of what it asks about the first.
    pub(crate) async fn now(
        context: &AdminContext,
        staff: &Staff,
        model: &Model,
        action: &Action,
        rows: &[&Row],
    ) -> Result<Self, DbErr> {
        let mut seen = Self::of(model, rows);
        if let [row] = rows {
            seen.fields = fields(model, row);
            for ask in action.asks {
                if let Ask::Some { name, offered, .. } = ask {
                    let options = offered(context, staff, row).await?;
                    let ticked = options.into_iter().map(|option| (option.value, option.ticked));
                    seen.asked.insert((*name).to_owned(), ticked.collect());
                }
            }
        }
        Ok(seen)
    }

    /// What the page of an object shows.
    pub(crate) fn shown(model: &Model, row: &Row) -> Self {
        Self {
            fields: fields(model, row),
            ..Self::of(model, &[row])
        }
    }

    fn of(model: &Model, rows: &[&Row]) -> Self {
        let versions = rows.iter().filter_map(|row| {
            let version = model.row_version()?;
            Some((row.text(model.id)?, row.text(version.name)?))
        });
        Self {
            versions: versions.collect(),
            ..Self::default()
        }
    }

    pub(crate) fn read(form: &Fields) -> Option<Self> {
        serde_json::from_str(form.get(SEEN)?).ok()
    }

    pub(crate) fn text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Whether this object was saved since.
    pub(crate) fn is_stale(&self, model: &Model, row: &Row) -> bool {
        let seen = row.text(model.id).and_then(|id| self.versions.get(&id).cloned());
        let version = model.row_version().and_then(|spec| row.text(spec.name));
        seen.is_some() && seen != version
    }

    /// Whether the one object, or what was asked about it, is not as it was seen. A page without questions saw versions
    /// alone.
    pub(crate) fn differs(&self, now: &Self) -> bool {
        self.versions != now.versions || self.asked != now.asked
    }

    /// What is not as it was seen.
    pub(crate) fn changes(&self, now: &Self, model: &Model, row: &Row, options: &[TickOption]) -> Vec<Change> {
        let of_fields = now.fields.iter().filter(|(name, text)| {
            let seen = self.fields.get(*name);
            seen.is_some_and(|seen| seen != *text)
        });
        let of_fields = of_fields.filter_map(|(name, _)| {
            let spec = model.field(name)?;
            Some(Change {
                label: spec.label.clone(),
                seen: self.fields.get(name).cloned().unwrap_or_default(),
                stored: Cell::whole(spec, row, &Names::new()).text,
            })
        });
        let mut changes: Vec<_> = of_fields.collect();
        for (name, stored) in &now.asked {
            let nothing = BTreeMap::new();
            let seen = self.asked.get(name).unwrap_or(&nothing);
            let values = stored
                .keys()
                .chain(seen.keys().filter(|value| !stored.contains_key(*value)));
            for value in values.filter(|value| seen.get(*value) != stored.get(*value)) {
                let label = options.iter().find(|option| option.value == *value);
                changes.push(Change {
                    label: label.map_or_else(|| value.clone(), |option| option.label.clone()),
                    seen: state_of(seen.get(value)),
                    stored: state_of(stored.get(value)),
                });
            }
        }
        changes
    }
}

fn state_of(ticked: Option<&bool>) -> String {
    match ticked {
        Some(true) => "Yes",
        Some(false) => "No",
        None => "–",
    }
    .to_owned()
}

/// What a page of the object shows and a save changes.
fn fields(model: &Model, row: &Row) -> BTreeMap<String, String> {
    let is_told = |kind: &Kind| {
        matches!(
            kind,
            Kind::Choice(_) | Kind::Bool | Kind::Int | Kind::Time | Kind::Text { long: false } | Kind::Id
        )
    };
    let told = model.fields.iter().filter(|spec| spec.in_form && is_told(&spec.kind));
    told.map(|spec| (spec.name.to_owned(), shown(spec, row))).collect()
}
