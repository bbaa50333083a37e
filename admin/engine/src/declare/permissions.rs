//! Every permission there is: what each registered model offers, and one for each of its actions.

use crate::declare::checklist::{TickGroup, TickOption};
use crate::declare::{meta::Operation, model::Model, site::Site};

/// The headings of the columns that a table of permissions has.
pub const COLUMNS: [&str; 5] = ["View", "Add", "Change", "Delete", "Export"];

impl Site {
    /// The permissions as a table: a line for each model, a column for each operation, its actions behind.
    pub fn permissions(&self) -> Vec<TickGroup> {
        self.models.iter().map(group).collect()
    }
}

fn group(model: &Model) -> TickGroup {
    let operations = Operation::ALL.map(|operation| {
        model.meta.offers(operation).then(|| TickOption {
            value: model.meta.permission(operation),
            label: operation.as_str().to_owned(),
            ..TickOption::default()
        })
    });
    let own = model
        .actions
        .iter()
        .filter(|action| Operation::ALL.iter().all(|operation| operation.as_str() != action.name));
    let own = own.map(|action| (action.permission(model), action.label));
    let is_own = |word: &str| Operation::ALL.iter().all(|operation| operation.as_str() != word);
    let page = model.meta.link.filter(|link| is_own(link.word));
    let page = page.map(|link| (format!("{}.{}", model.meta.name, link.word), link.label));
    TickGroup {
        label: model.meta.title(),
        columns: operations.into(),
        others: own
            .chain(page)
            .map(|(value, label)| TickOption {
                value,
                label: label.to_owned(),
                ..TickOption::default()
            })
            .collect(),
    }
}
