//! Bulk actions of a product.

use std::{fmt, pin::Pin};

use sea_orm::DbErr;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

use crate::{
    audit::Actor,
    foundation::{Registered, rules::Reason},
    jobs::Tx,
};

/// The product's bulk actions.
pub(in crate::accounts) static BULK_ACTIONS: Registered<Vec<BulkExtension>> = Registered::new();

/// What a bulk action did to one row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Applied {
    /// It was carried out; the text names the object in the audit log.
    Done(String),
    /// It was carried out, and has written its audit entry itself.
    Audited,
    /// It doesn't apply, and why.
    Skipped(&'static str),
}

/// The outcome of one row.
pub type AppliedFuture<'a> = Pin<Box<dyn Future<Output = Result<Applied, DbErr>> + Send + 'a>>;

/// What a bulk action is given for one row.
pub struct BulkRow<'a> {
    /// The row's change, its audit row and its outcome commit together.
    pub tx: &'a Tx,
    pub id: &'a str,
    pub actor: &'a Actor,
    pub reason: Option<&'a Reason>,
}

/// A bulk action of a product: the same function for one object, for ticked ones, and for all that match a filter.
#[derive(Clone, Copy)]
pub struct BulkExtension {
    /// Its stable name in waiting jobs, such as `close_tickets`.
    pub name: &'static str,
    /// The action in the audit log, such as `close`.
    pub word: &'static str,
    /// The permission a person needs, such as `tickets.close`.
    pub permission: &'static str,
    /// The type in the audit log, such as `ticket`.
    pub object_type: &'static str,
    /// The plural of what it acts on, such as `tickets`.
    pub objects: &'static str,
    /// Applies it to one row. An error rolls the row back; one that the database did not cause is that row's outcome.
    pub apply: for<'a> fn(BulkRow<'a>) -> AppliedFuture<'a>,
}

impl fmt::Debug for BulkExtension {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// A [`BulkExtension`] that the program has registered; in a job's payload it is its name.
#[derive(Clone, Copy, Debug)]
pub struct OwnAction(pub(super) &'static BulkExtension);

impl OwnAction {
    /// The action of this name, if the program has it.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let mut registered = BULK_ACTIONS.all().iter();
        registered.find(|action| action.name == name).map(Self)
    }
}

impl PartialEq for OwnAction {
    fn eq(&self, other: &Self) -> bool {
        self.0.name == other.0.name
    }
}

impl Eq for OwnAction {}

impl Serialize for OwnAction {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.name.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for OwnAction {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        let unknown = || D::Error::custom(format!("this program has no bulk action {name}"));
        Self::named(&name).ok_or_else(unknown)
    }
}
