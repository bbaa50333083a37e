//! The public JSON API: sign people up, look them up, and document itself.
//! Front ends and other services come in here; staff use the admin.
//!
//! A product adds operations of its own with [`ApiExtension`]. What they are made of is here, by name: extractors that
//! check the credential ([`ApiKey`], [`CurrentUser`], [`KeyOrUser`]) and the body ([`Body`], [`FromFields`]), lists
//! ([`Listed`], [`ListQuery`]), errors ([`ApiError`], [`Code`]) and what the OpenAPI document says of them.

// So that what the derives write means the same here and in a product.
extern crate self as usher_api;

mod api_keys;
mod auth;
#[cfg(test)]
mod example;
mod extension;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod me;
mod openapi;
mod router;
mod serve;
mod site;
#[cfg(test)]
mod slow_handlers;
mod state;
mod texts;
mod toolkit;
mod users;

pub use extension::ApiExtension;
pub use openapi::{openapi, openapi_with};
pub use router::{router, router_with};
pub use serve::{run, run_with, serve, serve_with};
pub use state::AppState;
pub use toolkit::{
    body::{Body, MAX_BODY, MAX_DEPTH, MAX_VALUES, OptionalBody},
    caller::{
        Access, ApiKey, Caller, CurrentUser, FreshSuperuser, FreshUser, KeyOrUser, SessionsRead, SessionsWrite,
        Superuser, UsersDelete, UsersRead, UsersSee, UsersWrite,
    },
    code::Code,
    error::ApiError,
    etag::{IfMatch, IfNoneMatch, etag, is_known, may_change, may_create, may_replace},
    fields::{Field, FieldError, Fields, FromFields, Patch, Step, Violations, in_body, integer, string, strings},
    fixed::{Fixed, Sent},
    list::{Col, Filter, ListIn, ListOut, ListQuery, Listed, limit_fault, related},
    moment,
    openapi::{ANY_ERRORS, BODY_ERRORS, ErrorList, Errors, KEY_ERRORS, PATCH_ERRORS, SUPERUSER_ERRORS, USER_ERRORS},
    path_id::{PathId, uuid, uuid_of},
    query::{FromQuery, Parameters, Query, QueryValue},
    request::{Context, RequestContext},
    schema,
    secret::Secret,
    state::{Parts, Toolkit},
};
pub use usher_api_macros::{FromFields, Listed};
pub use usher_shared::{
    accounts::api_keys::Scope,
    audit::Actor,
    foundation::rules::{Violation, ViolationKind},
    jobs::Tx,
};
// What the derives and macros of others write needs these names in scope.
pub use utoipa_axum::{router::OpenApiRouter, routes};
pub use {axum, utoipa};

/// What the derives write.
#[doc(hidden)]
pub mod __private {
    pub use sea_orm::{Condition, DbErr, EntityTrait, QueryResult, Value};
    pub use serde_json;
    pub use utoipa::{
        PartialSchema, ToSchema,
        openapi::{RefOr, Schema, path::Parameter},
    };

    pub use crate::toolkit::{
        query::{equal, filter_parameter},
        schema::BodySchema,
    };
}
