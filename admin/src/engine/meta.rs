//! What a model is called, where it stands in the navigation, and what may be done with it.

/// What staff may be allowed to do with a model's objects; each is a permission such as `users.view`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    View,
    Add,
    Change,
}

impl Operation {
    const fn word(self) -> &'static str {
        match self {
            Self::View => "view",
            Self::Add => "add",
            Self::Change => "change",
        }
    }
}

/// The names of a model.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Meta {
    /// In addresses and permissions: `users`.
    pub(crate) name: &'static str,
    /// One object, in sentences and as the audit log's `object_type`: `user`.
    pub(crate) singular: &'static str,
    /// Many objects, in headings: `users`.
    pub(crate) plural: &'static str,
    /// An `id` in the sprite `templates/parts/icons.html`.
    pub(crate) icon: &'static str,
    /// One line under the heading of the list.
    pub(crate) about: &'static str,
    pub(crate) operations: &'static [Operation],
}

impl Meta {
    /// A model that staff can only look at.
    pub(crate) const fn new(name: &'static str, singular: &'static str, plural: &'static str) -> Self {
        Self {
            name,
            singular,
            plural,
            icon: "table",
            about: "",
            operations: &[Operation::View],
        }
    }

    pub(crate) const fn icon(self, icon: &'static str) -> Self {
        Self { icon, ..self }
    }

    pub(crate) const fn about(self, about: &'static str) -> Self {
        Self { about, ..self }
    }

    /// A model that staff can also add to and change.
    pub(crate) const fn editable(self) -> Self {
        Self {
            operations: &[Operation::View, Operation::Add, Operation::Change],
            ..self
        }
    }

    /// The permission that an operation takes.
    pub(crate) fn permission(&self, operation: Operation) -> String {
        format!("{}.{}", self.name, operation.word())
    }

    pub(crate) fn offers(&self, operation: Operation) -> bool {
        self.operations.contains(&operation)
    }

    /// The plural as a heading.
    pub(crate) fn title(&self) -> String {
        capitalised(self.plural)
    }
}

/// The text with its first letter in upper case.
pub(crate) fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    chars
        .next()
        .map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}
