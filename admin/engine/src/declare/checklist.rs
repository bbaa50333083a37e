//! A set of options that belongs to an object and is stored in another table, such as the permissions of a role. The
//! object's form shows it as a table of checkboxes.

use std::collections::BTreeSet;

use usher_shared::AppContext;

use super::saving::HookFuture;
use crate::request::{sent::Fields, staff::Staff};
use crate::rows::row::Row;

/// The declaration of such a set. The model's own `create` and `CHANGE` store what is checked.
#[derive(Debug)]
pub struct Checklist {
    /// The checkboxes' name in the form.
    pub name: &'static str,
    pub title: &'static str,
    pub help: &'static str,
    /// The headings of the columns.
    pub columns: &'static [&'static str],
    pub offered: Offered,
    /// Whether this person may check and uncheck it.
    pub may: fn(&Staff, &str) -> bool,
    pub load: for<'a> fn(&'a AppContext, &'a Row) -> HookFuture<'a, BTreeSet<String>>,
}

/// The options of a checklist.
#[derive(Clone, Copy, Debug)]
pub enum Offered {
    /// All permissions of the site.
    Permissions,
    These(fn() -> Vec<CheckGroup>),
}

/// One line of the table.
#[derive(Clone, Debug)]
pub struct CheckGroup {
    pub label: String,
    /// One for each column, if there is such an option.
    pub columns: Vec<Option<CheckOption>>,
    /// Options without a column.
    pub others: Vec<CheckOption>,
}

#[derive(Clone, Debug, Default)]
pub struct CheckOption {
    pub value: String,
    pub label: String,
    pub help: String,
    pub checked: bool,
    /// Shown, but this person can't change it.
    pub fixed: bool,
}

/// The table as the form draws it.
pub struct CheckTable {
    pub name: &'static str,
    pub title: &'static str,
    pub help: &'static str,
    pub columns: &'static [&'static str],
    pub groups: Vec<CheckGroup>,
    pub error: Option<String>,
}

impl Checklist {
    /// `groups` are the options [offered](Self::offered).
    pub fn table(
        &self,
        mut groups: Vec<CheckGroup>,
        staff: &Staff,
        checked: &BTreeSet<String>,
        editable: bool,
        error: Option<&str>,
    ) -> CheckTable {
        for group in &mut groups {
            for option in group.columns.iter_mut().flatten().chain(&mut group.others) {
                option.checked = checked.contains(&option.value);
                option.fixed = !editable || !(self.may)(staff, &option.value);
            }
        }
        CheckTable {
            name: self.name,
            title: self.title,
            help: self.help,
            columns: self.columns,
            groups,
            error: error.map(str::to_owned),
        }
    }

    /// What a form asks for, given what is stored: options that this person can't change stay as they are. Refuses
    /// options that don't exist, or that this person may not give.
    pub fn wanted(
        &self,
        groups: &[CheckGroup],
        staff: &Staff,
        form: &Fields,
        stored: &BTreeSet<String>,
    ) -> Result<BTreeSet<String>, String> {
        let options = groups
            .iter()
            .flat_map(|group| group.columns.iter().flatten().chain(&group.others));
        let posted: BTreeSet<_> = form.all(self.name).map(str::to_owned).collect();
        let wanted = wanted(options, &posted, stored, |word| (self.may)(staff, word))?;
        match posted.difference(stored).find(|word| !(self.may)(staff, word)) {
            Some(foreign) => Err(format!("You can't grant {foreign} because you don't have it")),
            None => Ok(wanted),
        }
    }
}

/// What a form asks for: the posted options, and those stored ones that the form doesn't offer or this person may not
/// change. Refuses options that don't exist.
pub(crate) fn wanted<'a>(
    offered: impl Iterator<Item = &'a CheckOption>,
    posted: &BTreeSet<String>,
    stored: &BTreeSet<String>,
    may: impl Fn(&str) -> bool,
) -> Result<BTreeSet<String>, String> {
    let offered: BTreeSet<_> = offered.map(|option| option.value.as_str()).collect();
    if let Some(unknown) = posted.iter().find(|word| !offered.contains(word.as_str())) {
        let shown: String = unknown.chars().take(60).collect();
        return Err(format!("Unknown option: {shown}. Choose from the options shown"));
    }
    let kept = stored
        .iter()
        .filter(|word| !may(word) || !offered.contains(word.as_str()));
    Ok(posted.iter().chain(kept).cloned().collect())
}
