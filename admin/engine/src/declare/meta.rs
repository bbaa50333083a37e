//! A model's names, its place in the navigation, and the operations on it.

use crate::text::{capitalized, grouped};
use strum::{IntoStaticStr, VariantArray};

/// What staff may be allowed to do with a model's objects; each is a permission such as `users.view`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case", const_into_str)]
pub enum Operation {
    View,
    Add,
    Change,
    Delete,
    Export,
}

impl Operation {
    pub const fn as_str(self) -> &'static str {
        self.into_str()
    }

    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// A page of the application that belongs to a model, for people with the permission `{model}.{word}`.
#[derive(Clone, Copy, Debug)]
pub struct Link {
    pub label: &'static str,
    pub href: &'static str,
    /// The permission's second half.
    pub word: &'static str,
}

/// The names of a model.
#[derive(Clone, Copy, Debug)]
pub struct Meta {
    /// In addresses and permissions: `users`.
    pub name: &'static str,
    /// One object, in sentences: `user`.
    pub singular: &'static str,
    /// Many objects, in headings: `users`.
    pub plural: &'static str,
    /// The heading of the list, where it isn't the plural: `Audit log`.
    heading: Option<&'static str>,
    /// Title of the empty list, where it isn't "No users yet".
    pub empty: Option<&'static str>,
    /// Its heading in the navigation.
    pub section: &'static str,
    /// See [`Self::icon`].
    pub icon: &'static str,
    /// One line under the heading of the list.
    pub about: &'static str,
    /// Another page about these objects.
    pub link: Option<Link>,
    /// The operations that exist, for anyone: bits of [`Operation`].
    operations: u8,
    object_type: Option<&'static str>,
    /// Whether changes need a password confirmation in the last minutes.
    pub sensitive: bool,
    /// Whether there are never more than a few thousand, so that reading all of them is cheap.
    pub few: bool,
}

impl Meta {
    /// A model that staff can only look at and export.
    pub const fn new(name: &'static str, singular: &'static str, plural: &'static str) -> Self {
        Self {
            name,
            singular,
            plural,
            heading: None,
            empty: None,
            section: "",
            icon: "table",
            about: "",
            operations: Operation::View.bit() | Operation::Export.bit(),
            object_type: None,
            sensitive: false,
            few: false,
            link: None,
        }
    }

    /// The object's type in the audit log, if the singular isn't one word: `support_ticket`.
    pub const fn object_type_of(self, object_type: &'static str) -> Self {
        Self {
            object_type: Some(object_type),
            ..self
        }
    }

    /// The object's type in the audit log: a stable word, independent of the names that people read.
    pub const fn object_type(&self) -> &'static str {
        match self.object_type {
            Some(object_type) => object_type,
            None => self.singular,
        }
    }

    /// A heading of its own for the list and the navigation.
    pub const fn heading(self, heading: &'static str) -> Self {
        let heading = Some(heading);
        Self { heading, ..self }
    }

    /// What the empty list says instead of "No users yet".
    pub const fn empty(self, empty: &'static str) -> Self {
        let empty = Some(empty);
        Self { empty, ..self }
    }

    /// Its icon in the navigation: a name in `templates/parts/icon.html`, or the path of a drawing of 20 by 20, such as
    /// `M3 4h14v12H3z`.
    pub const fn icon(self, icon: &'static str) -> Self {
        Self { icon, ..self }
    }

    pub const fn section(self, section: &'static str) -> Self {
        Self { section, ..self }
    }

    pub const fn about(self, about: &'static str) -> Self {
        Self { about, ..self }
    }

    /// Another page about these objects, for people with the permission `{model}.{word}`.
    pub const fn link(self, label: &'static str, href: &'static str, word: &'static str) -> Self {
        let link = Some(Link { label, href, word });
        Self { link, ..self }
    }

    /// A model that staff can also add to and change.
    pub const fn editable(self) -> Self {
        self.addable().changeable()
    }

    /// A model that staff can add to.
    pub const fn addable(self) -> Self {
        self.and(Operation::Add)
    }

    /// A model whose objects can be changed, but are created elsewhere.
    pub const fn changeable(self) -> Self {
        self.and(Operation::Change)
    }

    /// A model whose objects can be deleted.
    pub const fn deletable(self) -> Self {
        self.and(Operation::Delete)
    }

    /// A model with never more than a few thousand objects: its lists need no index.
    pub const fn few(self) -> Self {
        Self { few: true, ..self }
    }

    /// Changes ask for the password unless it was confirmed in the last minutes.
    pub const fn sensitive(self) -> Self {
        Self {
            sensitive: true,
            ..self
        }
    }

    const fn and(self, operation: Operation) -> Self {
        Self {
            operations: self.operations | operation.bit(),
            ..self
        }
    }

    /// The permission for an operation.
    pub fn permission(&self, operation: Operation) -> String {
        format!("{}.{}", self.name, operation.as_str())
    }

    pub fn offers(&self, operation: Operation) -> bool {
        self.operations & operation.bit() != 0
    }

    /// "1 user", "3 users".
    pub fn counted(&self, count: usize) -> String {
        let noun = if count == 1 { self.singular } else { self.plural };
        format!("{} {noun}", grouped(count as i64))
    }

    /// The heading: the model's own, or the plural.
    pub fn title(&self) -> String {
        self.heading.map_or_else(|| capitalized(self.plural), str::to_owned)
    }
}
