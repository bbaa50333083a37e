//! Fields that lead from one resource to another.

/// A field of a resource that leads to another, in GraphQL. It asks the list of the other one, once for all objects of a
/// level, with the rights that the list asks for.
///
/// ```
/// use usher_api::{ApiExtension, Relation};
///
/// let tickets = ApiExtension::new("tickets")
///     .relation(Relation::one("Ticket", "requester", "requester_id", "listUsers"))
///     .relation(Relation::many("UserDetails", "tickets", "requester_id", "listTickets"));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Relation {
    /// The schema whose objects have the field.
    pub(crate) of: &'static str,
    pub(crate) name: &'static str,
    /// The column that refers.
    pub(crate) column: &'static str,
    /// The operation that lists what it leads to.
    pub(crate) list: &'static str,
    pub(crate) is_many: bool,
}

impl Relation {
    /// To the one object whose id this field of the same object holds: `requester` by `requester_id`. `of` is the name
    /// of a schema, `list` the operation that lists what it leads to; its list must be a `ListQuery`.
    #[must_use]
    pub const fn one(of: &'static str, name: &'static str, column: &'static str, list: &'static str) -> Self {
        Self {
            of,
            name,
            column,
            list,
            is_many: false,
        }
    }

    /// To the many objects whose column holds this one's id: the `tickets` of a user by their `requester_id`. It takes
    /// what the list takes, but pages.
    #[must_use]
    pub const fn many(of: &'static str, name: &'static str, column: &'static str, list: &'static str) -> Self {
        Self {
            is_many: true,
            ..Self::one(of, name, column, list)
        }
    }
}
