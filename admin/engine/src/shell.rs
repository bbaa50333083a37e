//! The look of the admin: the frame around every page, its theme, messages and static files.

pub(crate) mod assets;
pub(crate) mod flash;
pub(crate) mod frame;
pub mod page;
pub(crate) mod theme;
