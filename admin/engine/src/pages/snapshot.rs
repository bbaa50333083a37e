//! What a person had seen of the objects that they act on, carried by the form: if something has changed since, they
//! see that first.

use std::collections::BTreeMap;

use sea_orm::DbErr;
use serde::{Deserialize, Serialize};

use super::chosen::Chosen;
use crate::declare::{checklist::CheckOption, model::Model, params::Param, spec::Kind};
use crate::request::sent::Fields;
use crate::rows::cell::{Cell, Names};
use crate::rows::{draft::shown, row::Row};

/// The field that carries it.
pub(crate) const SEEN: &str = "_seen";

/// As the form holds it. It is not protected: forging it deceives only the forger.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Snapshot {
    /// The row version of each object, by its id.
    versions: BTreeMap<String, String>,
    /// The values of the fields, for a single object.
    #[serde(default)]
    fields: BTreeMap<String, String>,
    /// The options of each checklist, and whether they were checked.
    #[serde(default)]
    asked: BTreeMap<String, BTreeMap<String, bool>>,
}

/// One difference to what was seen.
pub(crate) struct Change {
    pub(crate) label: String,
    pub(crate) seen: String,
    pub(crate) stored: String,
}

impl Snapshot {
    /// What a page shows of these rows, and the options for the first.
    pub(crate) async fn now(Chosen { request, action, .. }: &Chosen<'_>, rows: &[&Row]) -> Result<Self, DbErr> {
        let model = &request.model;
        let mut seen = Self::of(model, rows);
        if let [row] = rows {
            seen.fields = fields(model, row);
            for ask in action.params {
                if let Param::Checklist { name, offered, .. } = ask {
                    let options = offered(&request.context, &request.staff, row).await?;
                    let checked = options.into_iter().map(|option| (option.value, option.checked));
                    seen.asked.insert((*name).to_owned(), checked.collect());
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

    /// Whether the object or its options differ from what was seen. A page without parameters has only seen versions.
    /// alone.
    pub(crate) fn differs(&self, now: &Self) -> bool {
        self.versions != now.versions || self.asked != now.asked
    }

    /// The differences to what was seen.
    pub(crate) fn changes(&self, now: &Self, model: &Model, row: &Row, options: &[CheckOption]) -> Vec<Change> {
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

fn state_of(checked: Option<&bool>) -> String {
    match checked {
        Some(true) => "Yes",
        Some(false) => "No",
        None => "–",
    }
    .to_owned()
}

/// The fields that a save can change.
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
