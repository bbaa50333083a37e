//! All permissions: the operations of each registered model, its actions, and the pages of apps.

use strum::VariantArray;

use crate::declare::checklist::{CheckGroup, CheckOption, Checklist, Offered};
use crate::declare::{meta::Operation, model::Model, page::Page, site::Site};

/// The columns of the table of permissions.
pub const COLUMNS: [&str; 5] = ["View", "Add", "Change", "Delete", "Export"];

impl Site {
    /// The permissions as a table: a line for each model, a column for each operation, then its actions and pages.
    /// Pages whose permission is no model's have lines of their own.
    pub fn permissions(&self) -> Vec<CheckGroup> {
        let mut groups: Vec<_> = self
            .models
            .iter()
            .map(|model| (model.meta.name, group(model)))
            .collect();
        for page in &self.pages {
            let (name, word) = page.permission.split_once('.').unwrap_or((page.permission, ""));
            let place = groups.iter().position(|(known, _)| *known == name).unwrap_or_else(|| {
                groups.push((name, empty(page)));
                groups.len() - 1
            });
            add(&mut groups[place].1, page, word);
        }
        groups.into_iter().map(|(_, group)| group).collect()
    }

    /// The options of a checklist.
    pub(crate) fn offered(&self, checklist: &Checklist) -> Vec<CheckGroup> {
        match checklist.offered {
            Offered::Permissions => self.permissions(),
            Offered::These(options) => options(),
        }
    }
}

/// A line without options for a page that belongs to no model.
fn empty(page: &Page) -> CheckGroup {
    CheckGroup {
        label: page.label.to_owned(),
        columns: vec![None; COLUMNS.len()],
        others: vec![],
    }
}

/// Adds the permission of a page to its line, unless the line has it.
fn add(group: &mut CheckGroup, page: &Page, word: &str) {
    let mut known = group.columns.iter().flatten().chain(&group.others);
    if known.any(|option| option.value == page.permission) {
        return;
    }
    let option = |label: &str| CheckOption {
        value: page.permission.to_owned(),
        label: label.to_owned(),
        ..CheckOption::default()
    };
    let operation = Operation::VARIANTS
        .iter()
        .position(|operation| operation.as_str() == word);
    match operation {
        Some(column) => group.columns[column] = Some(option(word)),
        None => group.others.push(option(page.label)),
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
    let links = model.links.iter().filter(|link| is_own(link.word));
    let links = links.map(|link| (link.permission(model), link.label));
    CheckGroup {
        label: model.meta.title(),
        columns: operations.collect(),
        others: own
            .chain(links)
            .map(|(value, label)| CheckOption {
                value,
                label: label.to_owned(),
                ..CheckOption::default()
            })
            .collect(),
    }
}
