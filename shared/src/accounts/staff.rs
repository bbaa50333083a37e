//! What staff may do, to one object or to many: roles, permissions, bulk actions, imports and exports.

pub mod bulk;
pub mod exports;
pub mod imports;
pub mod jobs;
pub mod policy;
pub mod roles;
