//! The cookies of a browser, apart from the message that one page leaves for the next.

use usher_admin_engine::Cookie;

/// The session's token.
pub(crate) const SESSION: Cookie = Cookie {
    name: "usher_admin",
    max_age: None,
};
/// What the sign-in form's token is bound to before there is a session.
pub(crate) const VISITOR: Cookie = Cookie {
    name: "usher_visitor",
    max_age: None,
};
/// What identifies a browser that an account signed in with.
pub(crate) const DEVICE: Cookie = Cookie {
    name: "usher_device",
    max_age: Some(90 * 24 * 60 * 60),
};
/// Light, dark, or as the system is set.
pub(crate) const THEME: Cookie = Cookie {
    name: "usher_theme",
    max_age: Some(365 * 24 * 60 * 60),
};
