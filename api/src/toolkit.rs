//! Tools for every resource: who calls, how often, what is read, and how answers, errors and documents look. None of
//! them imports a resource.

pub(crate) mod answers;
pub(crate) mod body;
pub(crate) mod caller;
pub(crate) mod code;
pub(crate) mod constraint;
mod describe;
pub(crate) mod download;
pub(crate) mod error;
pub(crate) mod etag;
pub(crate) mod fields;
mod file_type;
pub(crate) mod fixed;
pub(crate) mod form;
pub(crate) mod guard;
pub(crate) mod html;
pub(crate) mod idempotency;
pub(crate) mod key_use;
pub(crate) mod limits;
pub(crate) mod list;
pub(crate) mod media_type;
pub(crate) mod moment;
pub(crate) mod observe;
pub(crate) mod openapi;
pub(crate) mod operation;
pub(crate) mod path_id;
pub(crate) mod problem;
pub(crate) mod query;
pub(crate) mod remaining;
pub(crate) mod request;
pub(crate) mod rows;
pub mod schema;
pub(crate) mod secret;
pub(crate) mod state;
pub(crate) mod stored;
pub(crate) mod upload;
pub(crate) mod values;
