//! The derives of `usher-api`, which re-exports and documents them.

mod api_enum;
mod attributes;
mod from_fields;
mod listed;
mod operation;

use proc_macro::TokenStream;
use syn::{DeriveInput, Error, ItemFn, parse_macro_input};

/// Reads a request body: implements `FromFields`, which reads each field as its type says, in their order, and
/// `ToSchema`, which documents them so.
///
/// - `#[schema(as = NewUser)]` on the struct is its name in the OpenAPI document; without it that is the name of the
///   struct, without an `In` at its end.
/// - `#[schema(example = 37)]` on a field takes the place of its type's example, and its comment comes before the
///   type's.
/// - `#[schema(fixed = FIXED)]` is on the field of type `Sent`, which notes those of the list `FIXED`.
/// - `#[schema(entity = ticket::Entity)]` on the struct writes `From` of it for the entity's active model as well, in
///   which each field is the column of the same name, and unset where a patch doesn't change it. A field with
///   `#[schema(not_stored)]` is left to the handler.
/// - `#[schema(patch = TicketPatchIn)]` on the struct declares that of a merge patch as well: the same fields, each a
///   `Patch`, but for those with `#[schema(create_only)]`.
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
/// - `sorts(id, due_at)` are the fields to sort by; `id` alone unless it is there. Each needs an index that goes on
///   with the id.
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

/// Makes an enum that SeaORM stores as a string (`DeriveActiveEnum` and `EnumIter`) the same everywhere: its words are
/// those of the database in answers, bodies, filters of lists and the document. Implements `Serialize`, `ToSchema`,
/// `Field`, `Stored` and `QueryValue`.
///
/// `#[schema(as = TicketState)]` is its name in the OpenAPI document, in place of its own.
#[proc_macro_derive(ApiEnum, attributes(schema))]
pub fn api_enum(input: TokenStream) -> TokenStream {
    derive(input, api_enum::expand)
}

/// Documents a handler from its signature: `#[operation(get, "/tickets/{id}")]`.
///
/// The first paragraph of its comment is the summary, the rest the description. Its name is a verb and what it is
/// about, such as `list_tickets`; in camel case it is the operation id. Each extractor and the answer add what they are
/// ([`Describe`]): parameters, the body, who may call, errors.
/// What they can't know follows the path:
///
/// - `errors(TICKET_CLOSED, Code::EMAIL_EXISTS)`: codes of its own.
/// - `object = "ticket"`: what it is about, if its name doesn't say it.
/// - `ok = "The ticket, now closed"`: the description of the answer; `ok(202, "It will be closed")` where the answer's
///   type is `StatusCode` or `Response`.
/// - `tag = "Tickets"`: without it, the path's first part.
/// - `id = "getTicket"`: in place of the name.
///
/// `operations![list_tickets, create_ticket]` makes a router of them.
///
/// [`Describe`]: trait.Describe.html
#[proc_macro_attribute]
pub fn operation(attribute: TokenStream, item: TokenStream) -> TokenStream {
    let operation = parse_macro_input!(attribute as operation::Operation);
    let handler = parse_macro_input!(item as ItemFn);
    operation::expand(&operation, &handler)
        .unwrap_or_else(Error::into_compile_error)
        .into()
}

fn derive(input: TokenStream, expand: fn(&DeriveInput) -> Result<proc_macro2::TokenStream, Error>) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    expand(&input).unwrap_or_else(Error::into_compile_error).into()
}
