//! The derives of `usher-api`, which re-exports and documents them.

mod attributes;
mod from_fields;
mod listed;

use proc_macro::TokenStream;
use syn::{DeriveInput, Error, parse_macro_input};

/// Reads a request body: implements `FromFields`, which reads each field as its type says, in their order, and
/// `ToSchema`, which documents them so.
///
/// - `#[schema(as = NewUser)]` on the struct is its name in the OpenAPI document; without it that is the name of the
///   struct, without an `In` at its end.
/// - `#[schema(example = 37)]` on a field takes the place of its type's example, and its comment comes before the
///   type's.
/// - `#[schema(fixed = FIXED)]` is on the field of type `Sent`, which notes those of the list `FIXED`.
#[proc_macro_derive(FromFields, attributes(schema))]
pub fn from_fields(input: TokenStream) -> TokenStream {
    derive(input, from_fields::expand)
}

/// Lists a table: implements `Listed` for the struct that clients see of a row, and `From` the entity's model for it.
/// Each field is the column of the same name.
///
/// On the struct, in `#[listed(…)]`:
///
/// - `entity = ticket::Entity` is the table.
/// - `sorts(id, due_at)` are the fields to sort by; `id` alone unless it is there. Each needs an index that goes on with
///   the id.
/// - `unique(created_at)` are those of them that hardly any two rows share, so that others can be sorted behind them.
/// - `default_sort = "-created_at"` is the order unless the client asks for another; `-id` without it.
/// - `filters(state, author_id)` are fields that clients can filter by, each with an index. What finds fewest rows
///   comes first.
/// - `visible = path` is a function without arguments that returns the `Condition` of the rows that are there for
///   clients; all of them without it.
///
/// On a field:
///
/// - `#[listed(skip)]`: no column; `Default` until the handler fills it.
/// - `#[listed(with = words)]`: what a function makes of the column.
/// - `#[listed(from(revoked_at, expires_at), with = KeyState::of)]`: what it makes of other columns.
#[proc_macro_derive(Listed, attributes(listed))]
pub fn listed(input: TokenStream) -> TokenStream {
    derive(input, listed::expand)
}

fn derive(input: TokenStream, expand: fn(&DeriveInput) -> Result<proc_macro2::TokenStream, Error>) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    expand(&input).unwrap_or_else(Error::into_compile_error).into()
}
