//! The columns of a list: those declared, or those that a person chose.

use crate::declare::model::Model;
use crate::declare::spec::{Kind, Spec};
use crate::request::staff::Staff;

/// One column that a list can have.
pub(crate) struct Choosable {
    pub(crate) name: &'static str,
    pub(crate) label: String,
    pub(crate) shown: bool,
    /// The column that names the object is always shown.
    pub(crate) fixed: bool,
}

impl Model {
    /// The list's columns for this person, the object's name first.
    pub(crate) fn columns(&self, staff: &Staff) -> Vec<&Spec> {
        let Some(chosen) = staff.columns(self.meta.name) else {
            return self.listed().collect();
        };
        let name = self.name_field();
        let others = self.choosable().filter(|spec| spec.name != name.name);
        let others = others.filter(|spec| chosen.iter().any(|column| column == spec.name));
        std::iter::once(name).chain(others).collect()
    }

    /// What a list can show: what the object's page shows, except values longer than a line.
    pub(crate) fn choosable(&self) -> impl Iterator<Item = &Spec> {
        let fits = |kind: &Kind| {
            let broad = matches!(kind, Kind::Json | Kind::Bytes | Kind::Text { long: true });
            !broad && !matches!(kind, Kind::Secret | Kind::Internal | Kind::RowVersion)
        };
        let own = |spec: &&Spec| spec.listed || spec.in_form || spec.name == self.id;
        self.fields.iter().filter(own).filter(move |spec| fits(&spec.kind))
    }
}
