//! Visual severity.

use strum::IntoStaticStr;

/// Visual severity of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, IntoStaticStr)]
#[strum(serialize_all = "snake_case", const_into_str)]
pub enum Tone {
    Good,
    Busy,
    Warning,
    Bad,
    Quiet,
}

impl Tone {
    /// Its CSS class.
    pub const fn class(self) -> &'static str {
        self.into_str()
    }
}
