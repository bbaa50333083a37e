//! Light, dark, or as the system is set.

use strum::{EnumString, IntoStaticStr};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, EnumString, IntoStaticStr)]
#[strum(serialize_all = "snake_case", const_into_str)]
pub enum Theme {
    #[default]
    System,
    Light,
    Dark,
}

impl Theme {
    /// Anything unknown is the system's theme.
    pub fn parse(text: &str) -> Self {
        text.parse().unwrap_or_default()
    }

    /// The value of `data-theme` and of the cookie.
    pub const fn as_str(self) -> &'static str {
        self.into_str()
    }
}
