//! A set of words that belongs to an object and is kept in another table, such as the permissions of a role. The
//! object's form shows it as a table of boxes.

use std::collections::BTreeSet;

use crate::{declare::saving::Answer, rows::row::Row};
use usher_shared::AppContext;

use crate::request::{sent::Fields, staff::Staff};

/// The declaration of such a set. The model's own `create` and `CHANGE` keep what is ticked.
#[derive(Debug)]
pub struct Ticks {
    /// The boxes' name in the form.
    pub name: &'static str,
    pub title: &'static str,
    pub help: &'static str,
    /// The headings of the columns in which options of one kind stand below each other.
    pub columns: &'static [&'static str],
    /// What there is to tick, given the table of all permissions.
    pub offered: fn(Vec<TickGroup>) -> Vec<TickGroup>,
    /// Whether this person may tick and untick it.
    pub may: fn(&Staff, &str) -> bool,
    pub load: for<'a> fn(&'a AppContext, &'a Row) -> Answer<'a, BTreeSet<String>>,
}

/// One line of the table.
#[derive(Clone, Debug)]
pub struct TickGroup {
    pub label: String,
    /// One for each column; none where there is no such option.
    pub columns: Vec<Option<TickOption>>,
    /// Options of this line alone.
    pub others: Vec<TickOption>,
}

#[derive(Clone, Debug, Default)]
pub struct TickOption {
    pub value: String,
    pub label: String,
    pub help: String,
    pub ticked: bool,
    /// Shown but not to be changed by this person.
    pub fixed: bool,
}

/// The table as the form draws it.
pub struct TickTable {
    pub name: &'static str,
    pub title: &'static str,
    pub help: &'static str,
    pub columns: &'static [&'static str],
    pub groups: Vec<TickGroup>,
    pub error: Option<String>,
}

impl Ticks {
    pub fn table(
        &self,
        permissions: Vec<TickGroup>,
        staff: &Staff,
        ticked: &BTreeSet<String>,
        editable: bool,
        error: Option<&str>,
    ) -> TickTable {
        let mut groups = (self.offered)(permissions);
        for group in &mut groups {
            for option in group.columns.iter_mut().flatten().chain(&mut group.others) {
                option.ticked = ticked.contains(&option.value);
                option.fixed = !editable || !(self.may)(staff, &option.value);
            }
        }
        TickTable {
            name: self.name,
            title: self.title,
            help: self.help,
            columns: self.columns,
            groups,
            error: error.map(str::to_owned),
        }
    }

    /// What a form asks for, given what is stored: words that this person may not touch stay as they are. Refuses
    /// words that are not offered, or not theirs to give.
    pub fn wanted(
        &self,
        permissions: Vec<TickGroup>,
        staff: &Staff,
        form: &Fields,
        stored: &BTreeSet<String>,
    ) -> Result<BTreeSet<String>, String> {
        let groups = (self.offered)(permissions);
        let options = groups
            .iter()
            .flat_map(|group| group.columns.iter().flatten().chain(&group.others));
        let offered: BTreeSet<_> = options.map(|option| option.value.as_str()).collect();
        let posted: BTreeSet<_> = form.all(self.name).map(str::to_owned).collect();
        if let Some(unknown) = posted.iter().find(|word| !offered.contains(word.as_str())) {
            let shown: String = unknown.chars().take(60).collect();
            return Err(format!("Unknown option: {shown}. Choose from the options shown"));
        }
        if let Some(foreign) = posted.difference(stored).find(|word| !(self.may)(staff, word)) {
            return Err(format!("You can't grant {foreign} because you don't have it"));
        }
        let kept = stored
            .iter()
            .filter(|word| !(self.may)(staff, word) || !offered.contains(word.as_str()));
        Ok(posted.iter().chain(kept).cloned().collect())
    }
}
