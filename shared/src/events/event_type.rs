//! The types of events.

use std::fmt;

use crate::foundation::Registered;

/// The product's types.
static EVENT_TYPES: Registered<Vec<EventType>> = Registered::new();

/// Sets the product's types. Only the first call counts: a process runs one product.
pub fn add_event_types(types: Vec<EventType>) {
    EVENT_TYPES.set(types);
}

/// A type of event: `<object>.<what happened>`, and the scope that an API key needs to see it. Two types with the same
/// word are the same.
///
/// ```
/// use usher_shared::events::EventType;
///
/// const OPENED: EventType = EventType::new("ticket.opened", "tickets:read", "Somebody opened a ticket");
/// assert_eq!(OPENED.object_type(), "ticket");
/// ```
#[derive(Clone, Copy)]
pub struct EventType {
    word: &'static str,
    scope: &'static str,
    about: &'static str,
    for_owner: bool,
}

impl EventType {
    pub const USER_CREATED: Self = Self::new("user.created", "users:read", "There is a new user");
    pub const USER_UPDATED: Self = Self::new("user.updated", "users:read", "A user has changed");
    pub const USER_DELETED: Self = Self::new(
        "user.deleted",
        "users:read",
        "A user was deleted, and can be restored for 30 days",
    );
    pub const USER_RESTORED: Self = Self::new("user.restored", "users:read", "A deleted user is back");
    pub const USER_PURGED: Self = Self::new(
        "user.purged",
        "users:read",
        "A user was removed for good, together with the events about them",
    );

    /// Those that Usher brings.
    pub const BUILT_IN: [Self; 5] = [
        Self::USER_CREATED,
        Self::USER_UPDATED,
        Self::USER_DELETED,
        Self::USER_RESTORED,
        Self::USER_PURGED,
    ];

    /// A type of a product. API keys with `scope` see its events; `about` is a sentence for the documentation.
    ///
    /// # Panics
    ///
    /// If the word has no dot; in a constant that is an error of the compiler.
    #[must_use]
    pub const fn new(word: &'static str, scope: &'static str, about: &'static str) -> Self {
        let mut at = 0;
        while word.as_bytes()[at] != b'.' {
            at += 1;
        }
        Self {
            word,
            scope,
            about,
            for_owner: false,
        }
    }

    /// The person whom an event is about sees it as well, signed in with their own session.
    #[must_use]
    pub const fn for_owner(self) -> Self {
        Self {
            for_owner: true,
            ..self
        }
    }

    /// As rows and readers have it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.word
    }

    /// The scope that an API key needs.
    #[must_use]
    pub const fn scope(self) -> &'static str {
        self.scope
    }

    /// A sentence on what happened.
    #[must_use]
    pub const fn about(self) -> &'static str {
        self.about
    }

    /// Whether the person whom an event is about sees it.
    #[must_use]
    pub const fn is_for_owner(self) -> bool {
        self.for_owner
    }

    /// What it happened to, such as `user`.
    #[must_use]
    pub fn object_type(self) -> &'static str {
        object_type(self.word)
    }

    /// Every type of this program: those that Usher brings, then the product's.
    pub fn all() -> impl Iterator<Item = Self> {
        Self::BUILT_IN.into_iter().chain(EVENT_TYPES.all().iter().copied())
    }

    /// The types that a pattern names: a type, `user.*` for all of an object, or `*` for all.
    pub fn matching(pattern: &str) -> impl Iterator<Item = Self> {
        let object = pattern.strip_suffix(".*");
        Self::all().filter(move |kind| pattern == "*" || kind.word == pattern || object == Some(kind.object_type()))
    }
}

/// The part of a type before its last dot.
pub(super) fn object_type(word: &str) -> &str {
    word.rsplit_once('.').map_or(word, |(object, _)| object)
}

impl PartialEq for EventType {
    fn eq(&self, other: &Self) -> bool {
        self.word == other.word
    }
}

impl Eq for EventType {}

impl fmt::Debug for EventType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_names_types() {
        let named = |pattern: &str| EventType::matching(pattern).map(EventType::as_str).collect::<Vec<_>>();
        assert_eq!(named("user.created"), ["user.created"]);
        assert_eq!(named("user.*").len(), 5);
        assert_eq!(named("*").len(), EventType::BUILT_IN.len());
        for nothing in ["", "user", "user.", "use.*", "*.created", ".*", "user.created.*"] {
            assert!(named(nothing).is_empty(), "{nothing}");
        }
    }
}
