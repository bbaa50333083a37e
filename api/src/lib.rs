//! The public JSON API: sign people up, look them up, and document itself.
//! Front ends and other services come in here; staff use the admin.
//!
//! A product adds operations of its own with [`ApiExtension`]. What they are made of is here, by name: extractors that
//! check the credential ([`ApiKey`], [`CurrentUser`], [`KeyOrUser`]) and the body ([`Body`], [`FromFields`]), lists
//! ([`Listed`], [`ListQuery`]), errors ([`ApiError`], [`Code`]) and what the OpenAPI document says of them.
//!
//! # A resource
//!
//! ```
//! use axum::extract::State;
//! use sea_orm::ActiveModelTrait;
//! use serde::Serialize;
//! use usher_api::{
//!     ApiError, ApiExtension, ApiKey, AppState, Body, Created, FromFields, KeyOrUser, ListOut, ListQuery, Listed,
//!     OnConstraint, Query, Scope, Text, access, operation, operations,
//! };
//! use utoipa::ToSchema;
//!
//! mod note {
//!     use sea_orm::entity::prelude::*;
//!
//!     #[sea_orm::model]
//!     #[derive(Clone, Debug, DeriveEntityModel)]
//!     #[sea_orm(table_name = "notes")]
//!     pub struct Model {
//!         #[sea_orm(primary_key)]
//!         pub id: i64,
//!         pub title: String,
//!         pub user_id: i64,
//!     }
//!
//!     impl ActiveModelBehavior for ActiveModel {}
//! }
//!
//! access! {
//!     pub NotesRead = [Scope::new("notes:read", &["notes.view"])];
//!     pub NotesWrite = [Scope::new("notes:write", &["notes.change"])];
//! }
//!
//! /// A note.
//! #[derive(Serialize, ToSchema, Listed)]
//! #[schema(as = Note)]
//! #[listed(entity = note::Entity, filters(user_id))]
//! struct NoteOut {
//!     id: i64,
//!     title: String,
//!     user_id: i64,
//! }
//!
//! /// A new note.
//! #[derive(FromFields)]
//! #[schema(entity = note::Entity)]
//! struct NewNoteIn {
//!     title: Text<1, 200>,
//!     user_id: i64,
//! }
//!
//! /// List notes
//! ///
//! /// Newest first.
//! #[operation(get, "/notes")]
//! async fn list_notes(
//!     State(state): State<AppState>,
//!     caller: KeyOrUser<NotesRead>,
//!     Query(query): Query<ListQuery<NoteOut>>,
//! ) -> Result<ListOut<NoteOut>, ApiError> {
//!     query.list(&state, caller.filter(note::Column::UserId)).await
//! }
//!
//! /// Create a note
//! #[operation(post, "/notes")]
//! async fn create_note(
//!     State(state): State<AppState>,
//!     _key: ApiKey<NotesWrite>,
//!     Body(body): Body<NewNoteIn>,
//! ) -> Result<Created<NoteOut>, ApiError> {
//!     let tx = state.begin().await?;
//!     let row = note::ActiveModel::from(body);
//!     let note = row.insert(&*tx).await.on_missing("user_id")?;
//!     tx.commit().await?;
//!     Ok(Created::new(&state, "/notes", note.id, note))
//! }
//!
//! let notes = ApiExtension::new("notes").routes(|| operations![list_notes, create_note]);
//! let document = usher_api::openapi_with(&notes);
//! assert!(document.paths.paths.contains_key("/notes"));
//! ```
//!
//! `usher_api::run_with` serves it beside Usher's own operations. A product has this crate as `usher::api`.

// So that what the derives write means the same here and in a product.
extern crate self as usher_api;

mod api_keys;
mod asyncapi;
mod auth;
mod described;
mod events;
#[cfg(test)]
mod example;
mod extension;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod graphql;
mod me;
mod openapi;
mod relation;
mod router;
mod serve;
mod site;
#[cfg(test)]
mod slow_handlers;
mod state;
mod texts;
mod toolkit;
mod users;
mod webhooks;

pub use asyncapi::{asyncapi, asyncapi_with};
pub use extension::ApiExtension;
pub use openapi::{graphql_schema, openapi, openapi_with};
pub use relation::Relation;
pub use router::{router, router_with};
pub use serve::{run, run_with, serve, serve_with};
pub use state::AppState;
pub use toolkit::{
    answers::{Accepted, Created, NoContent, Versioned},
    body::{Body, MAX_BODY, MAX_DEPTH, MAX_VALUES, OptionalBody},
    caller::{
        Access, ApiKey, Caller, CurrentUser, FreshSuperuser, FreshUser, KeyOrUser, SessionsRead, SessionsWrite,
        Superuser, UsersDelete, UsersRead, UsersSee, UsersWrite, WebhooksRead, WebhooksWrite,
    },
    code::Code,
    constraint::OnConstraint,
    download::Download,
    error::ApiError,
    etag::{IfMatch, IfNoneMatch, etag, is_known, may_change, may_create, may_replace},
    fields::{Field, FieldError, Fields, FromFields, Patch, Step, Violations, in_body, integer, string, strings},
    fixed::{Fixed, Sent},
    list::{Col, Filter, ListIn, ListOut, ListQuery, Listed, limit_fault, related},
    moment::rfc3339,
    openapi::{ANY_ERRORS, BODY_ERRORS, ErrorList, Errors, KEY_ERRORS, PATCH_ERRORS, SUPERUSER_ERRORS, USER_ERRORS},
    operation::{Describe, OperationDoc},
    path_id::{PathId, uuid, uuid_of},
    query::{FromQuery, Parameters, Query, QueryValue},
    request::{Context, RequestContext},
    rows::{create_row, update_row},
    schema,
    secret::Secret,
    state::{Parts, Toolkit},
    stored::Stored,
    upload::{Upload, UploadRule},
    values::{Integer, Lines, Text},
};
pub use usher_api_macros::{ApiEnum, FromFields, Listed, operation};
pub use usher_shared::{
    accounts::api_keys::Scope,
    audit::Actor,
    foundation::rules::{Violation, ViolationKind},
    jobs::Tx,
};
// What the derives and macros of others write needs these names in scope.
pub use utoipa_axum::router::OpenApiRouter;
pub use {axum, utoipa};

/// What the derives write.
#[doc(hidden)]
pub mod __private {
    pub use sea_orm::{ActiveEnum, ActiveValue, Condition, DbErr, EntityTrait, QueryResult, Value};
    pub use serde;
    pub use serde_json;
    pub use utoipa::{
        __dev::{SchemaReferences, Tags},
        PartialSchema, Path, ToSchema,
        openapi::{
            HttpMethod, RefOr, Schema,
            path::{Operation, Parameter},
        },
    };
    pub use utoipa_axum::paste;

    pub use crate::toolkit::{
        list::{equal, filter_parameter},
        operation::{Said, route},
        schema::BodySchema,
        values::{enum_schema, parse_enum},
    };
}
