//! All permissions: the operations of each registered model, and its actions.

use strum::VariantArray;

use crate::declare::checklist::{CheckGroup, CheckOption, Checklist, Offered};
use crate::declare::{meta::Operation, model::Model, site::Site};

/// The columns of the table of permissions.
pub const COLUMNS: [&str; 5] = ["View", "Add", "Change", "Delete", "Export"];

impl Site {
    /// The permissions as a table: a line for each model, a column for each operation, then its actions.
    pub fn permissions(&self) -> Vec<CheckGroup> {
        self.models.iter().map(|model| group(model)).collect()
    }

    /// The options of a checklist.
    pub(crate) fn offered(&self, checklist: &Checklist) -> Vec<CheckGroup> {
        match checklist.offered {
            Offered::Permissions => self.permissions(),
            Offered::These(options) => options(),
        }
    }
}

fn group(model: &Model) -> CheckGroup {
    let operations = Operation::VARIANTS.iter().map(|&operation| {
        model.meta.offers(operation).then(|| CheckOption {
            value: model.meta.permission(operation),
            label: operation.as_str().to_owned(),
            ..CheckOption::default()
        })
    });
    let is_own = |word: &str| Operation::VARIANTS.iter().all(|operation| operation.as_str() != word);
    let own = model.actions.iter().filter(|action| is_own(action.name));
    let own = own.map(|action| (action.permission(model), action.label));
    let page = model.meta.link.filter(|link| is_own(link.word));
    let page = page.map(|link| (format!("{}.{}", model.meta.name, link.word), link.label));
    CheckGroup {
        label: model.meta.title(),
        columns: operations.collect(),
        others: own
            .chain(page)
            .map(|(value, label)| CheckOption {
                value,
                label: label.to_owned(),
                ..CheckOption::default()
            })
            .collect(),
    }
}
